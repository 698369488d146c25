import { launchEngine } from '../harness/engines.ts'
import { atMost, report, round } from './_report.ts'
import { servePage } from './_serve-page.ts'
import { traceTasks } from './_task-trace.ts'

// A run of 2,000 turns in a worker, shown by its page as it goes: the tasks of both threads, from a trace of Chromium.

const turns = 2_000
/** The aim of issue "A checkpoint costs what changed": what people notice begins here. */
const taskMsMax = 50
const threads = { CrRendererMain: 'the page', 'DedicatedWorker thread': 'the worker' } as const
const bounds = [1, 4, 8, 16, 50]

const server = await servePage('smooth')
const engine = await launchEngine('chromium')
const page = await engine.newPage()
await page.goto(`${server.url}/`)
await page.waitFor('globalThis.talk !== undefined')
const from = performance.now()
const traced = await traceTasks(page, async () => {
  await page.evaluate(`talk(${String(turns)})`)
})
const seconds = round((performance.now() - from) / 1_000)
await engine.close()
await server.close()

const figures = Object.entries(threads).map(([thread, name]) => {
  const ms = traced.filter((one) => one.thread === thread).flatMap((one) => one.ms)
  return {
    name,
    tasks: ms.length,
    /** How many took longer than so many ms. */
    over: Object.fromEntries(bounds.map((bound) => [bound, ms.filter((one) => one > bound).length])),
    longestMs: round(Math.max(0, ...ms.slice(0, 1))),
  }
})
report(
  figures.map(
    ({ name, tasks, over, longestMs }) =>
      `${name.padEnd(10)} ${String(tasks)} tasks in ${String(seconds)} s, the longest ${longestMs.toFixed(1)} ms; ` +
      Object.entries(over)
        .map(([bound, count]) => `over ${bound} ms: ${String(count)}`)
        .join(', '),
  ),
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
