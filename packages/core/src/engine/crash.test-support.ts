import { expect } from 'vitest'
import { testClock, testDevice, handleOf } from '../runtime/memory-world.test-support.ts'
import type { RunHandle } from '../runtime/run-handle.ts'
import type { AnyAgent } from './agent.ts'

/** Answers and messages that a person gives when the run waits for them. */
export type Person = (run: RunHandle) => Promise<void>

/** Runs an agent to its end on a device, with a person who acts when the run waits. */
export async function finish(
  device: ReturnType<typeof testDevice>,
  agent: AnyAgent,
  person: Person,
): Promise<RunHandle> {
  const runtime = await device.open()
  const run = await handleOf(runtime, await runtime.start(agent.name, null, { id: 'run' }))
  const stop = run.subscribe(() => void person(run).catch(() => undefined))
  await run.until(({ status }) => ['done', 'failed', 'cancelled', 'paused'].includes(status))
  stop()
  await runtime.close()
  return run
}

/** A device whose log ends after some entries of another run, as a crash there would have left it. */
export async function crashedAfter(
  agent: AnyAgent,
  lines: readonly Uint8Array[],
  source: ReturnType<typeof testDevice>,
  clock = testClock,
  others: readonly AnyAgent[] = [],
): Promise<ReturnType<typeof testDevice>> {
  const device = testDevice([agent, ...others], { clock })
  await device.store.append('run' as never, { base: undefined, lines, durability: 'relaxed' })
  for (const { stream, text: written } of await streamsOf(source))
    await device.streams.append('run' as never, stream, { at: 0, text: written })
  return device
}

async function streamsOf(device: ReturnType<typeof testDevice>): Promise<{ stream: string; text: string }[]> {
  const { text: written } = await device.streams.read('run' as never, '0/words', 0)
  return written === '' ? [] : [{ stream: '0/words', text: written }]
}

/** Kills a run after each of its entries and finishes it from there: the same state, and no recorded step ran again. */
export async function crashEverywhere(
  make: (ran: (what: string) => void) => AnyAgent,
  person: Person = async () => undefined,
  others: readonly AnyAgent[] = [],
): Promise<string[]> {
  const calls: string[] = []
  const source = testDevice([make((what) => calls.push(what)), ...others])
  const agent = make((what) => calls.push(what))
  const whole = await finish(source, agent, person)
  expect(whole.view()?.error).toBeUndefined()
  const lines = await source.store.read('run' as never, 0)
  const entries = whole.entries()
  for (let kept = 1; kept < lines.length; kept += 1) {
    const ran: string[] = []
    const again = make((what) => ran.push(what))
    const device = await crashedAfter(again, lines.slice(0, kept), testDevice([]), testClock, others)
    const resumed = await finish(device, again, person)
    const where = `killed after entry ${String(kept - 1)} (${String(entries[kept - 1]?.kind)})`
    expect(resumed.view()?.error, where).toBeUndefined()
    expect(resumed.view()?.state, where).toEqual(whole.view()?.state)
    const recorded = entries
      .slice(0, kept)
      .flatMap(({ kind, body }) =>
        ['step', 'once', 'once.start'].includes(kind) ? [(body as { path: string }).path] : [],
      )
    expect(
      ran.filter((path) => recorded.includes(path)),
      where,
    ).toEqual([])
  }
  return calls
}
