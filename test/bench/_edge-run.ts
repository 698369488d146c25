import { nodeClock } from '@waystone/node'
import { nodeDevice } from '../harness/node-device.ts'
import { costOf, tellOf } from './_edge-cost.ts'
import type { Wire } from './_wire.ts'
import { twentySteps } from './pages/edge-agent.ts'

const steps = 20
const stepMs = 20
/** How long a run is watched that waits for a person. */
const idleMs = 5_000

/**
 * A whole run: twenty steps, a question, a sleep, and a move in the middle of the first ten steps. All rows of its object
 * are counted, from its first entry to its last, and those that are written while it waits for a person.
 */
export async function measureRun({ url, wire, token }: { url: string; wire: Wire; token: string }) {
  const laptop = nodeDevice('the-laptop', [twentySteps], { url: wire.url, token })
  const runtime = await laptop.open()
  let idle = { seconds: idleMs / 1_000, rows: Number.NaN, alarm: null as number | null }
  const counting = { url, wire, what: 'a step of a whole run', run: 'counted-whole-run', checkpoints: steps }
  const cost = await costOf(counting, async () => {
    const id = await runtime.start('twenty-steps', { stepMs }, { id: counting.run })
    const run = await laptop.run(runtime, id)
    await run.until(() => run.entries().filter(({ kind }) => kind === 'step').length >= 3)
    await run.move('edge')
    await run.until(({ asks }) => asks.length > 0)
    const before = await atRest(url, id)
    await nodeClock().wait(idleMs)
    const after = await tellOf(url, id)
    idle = { ...idle, rows: sum(after.written) - sum(before.written), alarm: after.alarm }
    for (const { ask } of run.view()?.asks ?? []) await run.answer(ask, true)
    await run.result()
    await run.close()
  })
  await runtime.close()
  return { ...cost, idle }
}

/** What a host still writes when it goes to rest is not what waiting takes. */
async function atRest(url: string, run: string) {
  for (let before = await tellOf(url, run); ;) {
    await nodeClock().wait(1_000)
    const after = await tellOf(url, run)
    if (after.alarm === null && sum(after.written) === sum(before.written)) return after
    before = after
  }
}

function sum(written: Readonly<Record<string, number>>): number {
  return Object.values(written).reduce((all, rows) => all + rows, 0)
}
