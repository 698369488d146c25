import { engineNames, launchEngine, type EngineName } from '../harness/engines.ts'
import { atMost, quantile, report, round, type Aim } from './_report.ts'
import { servePage } from './_serve-page.ts'
import type { EngineRequest, EngineTimes } from './pages/engine-messages.ts'

// What the engine costs beside the store: a step beyond its append, the replay of a long turn, a map over many items.

const request: EngineRequest = { steps: 1_000, items: 10_000 }
/** The aims of issue "The engine, whole", in ms. */
const stepMsMax = 0.2
const replayMsMax = 100

const server = await servePage('engine')
const figures: ReturnType<typeof figuresOf>[] = []
for (const name of engineNames) {
  const engine = await launchEngine(name)
  const page = await engine.newPage()
  await page.goto(`${server.url}/`)
  await page.waitFor('window.engine !== undefined')
  figures.push(figuresOf(name, await page.evaluate<EngineTimes>(`engine(${JSON.stringify(request)})`)))
  await engine.close()
}
await server.close()

const aims: Aim[] = figures.map(({ engine, stepOverheadMs }) =>
  atMost(`a step beyond its append, p50, ${engine}`, stepOverheadMs.p50, stepMsMax, 'ms'),
)
for (const { engine, replayMs } of figures)
  if (engine === 'chromium') aims.push(atMost('replay of 1,000 steps, chromium', replayMs, replayMsMax, 'ms'))
report(
  figures.map(
    ({ engine, stepMs, stepOverheadMs, replayMs, resumeMs, mapMs }) =>
      `${engine.padEnd(9)} step ${stepMs.p50.toFixed(2)} ms, beyond its append ${stepOverheadMs.p50.toFixed(3)} ms  ` +
      `replay of ${String(request.steps)} steps ${replayMs.toFixed(0)} ms, with opening the log ${resumeMs.toFixed(0)} ms  ` +
      `map over ${String(request.items)} items ${mapMs.toFixed(0)} ms`,
  ),
  { name: 'engine', ...request, figures, aims },
)

function figuresOf(engine: EngineName, times: EngineTimes) {
  const of = (numbers: readonly number[]) => ({
    p50: round(quantile(numbers, 0.5)),
    p95: round(quantile(numbers, 0.95)),
  })
  return {
    engine,
    stepMs: of(times.steps.map(({ whole }) => whole)),
    stepOverheadMs: of(times.steps.map(({ whole, append }) => whole - append)),
    replayMs: round(quantile(times.replays, 0.5)),
    resumeMs: round(times.resume),
    mapMs: round(times.map.whole),
    mapEntries: times.map.entries,
  }
}
