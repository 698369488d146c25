import { parseArgs } from 'node:util'
import { startDemo } from '../harness/demo-edge.ts'
import { launchEngine } from '../harness/engines.ts'
import { atMost, report, round } from './_report.ts'
import { traceTasks, type ThreadTasks } from './_task-trace.ts'

// A run of 2,000 turns in the demo: its draft is sent back again and again, as a person would do it by the page, and is written anew
// at once, while the page shows its timeline and the edge gets every entry. The tasks of the page and of its worker, from
// traces of Chromium of so many turns each.

/** The aim of issue "A checkpoint costs what changed": what people notice begins here. */
const taskMsMax = 50
const threads = { CrRendererMain: 'the page', 'DedicatedWorker thread': 'the worker' } as const
const bounds = [1, 4, 8, 16, 50]
const { values: args } = parseArgs({
  options: { turns: { type: 'string' }, json: { type: 'boolean' }, keep: { type: 'boolean' } },
})
const turns = Number(args.turns ?? 2_000)
/** A trace of many more would not fit into memory. */
const turnsATrace = 50
const question = 'How do I open an IndexedDB database and run a transaction?'
const token = 'the-token-of-this-benchmark'

const edge = await startDemo({ WAYSTONE_TOKEN: token })
const engine = await launchEngine('chromium')
const page = await engine.newPage()
await page.goto(`${edge.url}/?pace=0#token=${token}`)
await page.fill('[data-test="ask-input"]', question)
await page.click('[data-test="ask-start"]')

/** Sends the draft back so often. Runs in the page. */
async function sendBack(times: number): Promise<void> {
  const seen = <Wanted extends Element>(selector: string, other?: Element): Promise<Wanted> =>
    new Promise((resolve) => {
      const look = (): boolean => {
        const element = document.querySelector<Wanted>(selector)
        if (element === null || element === other) return false
        observer.disconnect()
        resolve(element)
        return true
      }
      const observer = new MutationObserver(look)
      if (!look()) observer.observe(document.body, { subtree: true, childList: true, attributes: true })
    })
  let remark: HTMLInputElement | undefined
  for (let time = 0; time <= times; time += 1) {
    // Each question has a card of its own.
    remark = await seen<HTMLInputElement>('[data-test="remark"]', remark)
    if (time === times) return
    remark.value = time % 2 === 0 ? 'shorter' : 'longer'
    remark.dispatchEvent(new Event('input', { bubbles: true }))
    const button = await seen<HTMLButtonElement>('[data-test="send-back"]:not(:disabled)')
    button.click()
  }
}

const traced: ThreadTasks[] = []
const from = performance.now()
for (let turn = 0; turn < turns; turn += turnsATrace) {
  const next = Math.min(turnsATrace, turns - turn)
  const work = `(${sendBack.toString()})(${String(next)})`
  traced.push(...(await traceTasks(page, taskMsMax, () => page.evaluate(work))))
}
const seconds = round((performance.now() - from) / 1_000)
await engine.close()
await edge.close()

const figures = Object.entries(threads).map(([thread, name]) => {
  const mine = traced.filter((one) => one.thread === thread)
  const ms = mine.flatMap((one) => one.ms)
  return {
    name,
    tasks: ms.length,
    /** How many took longer than so many ms. */
    over: Object.fromEntries(bounds.map((bound) => [bound, ms.filter((one) => one > bound).length])),
    longestMs: round(ms.reduce((longest, one) => Math.max(longest, one), 0)),
    /** Those over the aim, by the turns that were traced together. */
    long: mine.flatMap(({ long }, trace) => long.map((task) => ({ from: trace * turnsATrace, ...task }))),
  }
})
report(
  figures.flatMap(({ name, tasks, over, longestMs, long }) => [
    `${name.padEnd(10)} ${String(tasks)} tasks in ${String(seconds)} s, the longest ${longestMs.toFixed(1)} ms; ` +
      Object.entries(over)
        .map(([bound, count]) => `over ${bound} ms: ${String(count)}`)
        .join(', '),
    ...long.map(
      ({ from, ms, parts }) =>
        `  ${String(ms)} ms after turn ${String(from)}: ${parts.map((part) => `${part.name} ${String(part.ms)}`).join(', ')}`,
    ),
  ]),
  {
    name: 'smooth',
    turns,
    seconds,
    figures,
    aims: figures
      .filter(({ name }) => name === threads.CrRendererMain)
      .map(({ name, longestMs }) =>
        atMost(`the longest task of ${name} in ${String(turns)} turns`, longestMs, taskMsMax, 'ms'),
      ),
  },
)
