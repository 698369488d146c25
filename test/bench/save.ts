import { join } from 'node:path'
import { engineNames, launchEngine, type EngineName } from '../harness/engines.ts'
import { bundle, serveStatic } from '../harness/static-server.ts'
import { atMost, quantile, report, round, type Aim } from './_report.ts'
import type { SaveRequest, SaveTimes } from './pages/save-messages.ts'

// A durable commit of a turn that adds two messages to a conversation, beside one raw put of the same bytes and beside
// putting the whole state, round by round in one run, each in a worker of its own.

const sizes = [100_000, 1_000_000, 10_000_000]
const rounds = 120
const warmup = 24
/** The aim of issue "First light": at most twice the raw put. */
const ratioMax = 2

interface Figures {
  readonly engine: EngineName
  readonly stateBytes: number
  readonly commitMs: { readonly p50: number; readonly p95: number }
  readonly rawPutMs: { readonly p50: number; readonly p95: number }
  readonly wholePutMs: { readonly p50: number; readonly p95: number }
  readonly commitToRaw: number
  readonly wholeToCommit: number
  readonly commitBytes: number
  readonly wholeBytes: number
}

const pages = join(import.meta.dirname, 'pages')
const server = await serveStatic({
  ...(await bundle([join(pages, 'save-page.ts'), join(pages, 'save-worker.ts')])),
  'index.html':
    '<!doctype html><meta charset="utf-8"><title>save</title><script type="module" src="/save-page.js"></script>',
})
const figures: Figures[] = []
for (const name of engineNames) {
  const engine = await launchEngine(name)
  const page = await engine.newPage()
  await page.goto(`${server.url}/`)
  await page.waitFor('window.save !== undefined')
  for (const bytes of sizes) {
    const request: SaveRequest = { bytes, rounds, warmup }
    figures.push(figuresOf(name, bytes, await page.evaluate<SaveTimes>(`save(${JSON.stringify(request)})`)))
  }
  await engine.close()
}
await server.close()

const aims: Aim[] = figures.map(({ engine, stateBytes, commitToRaw }) =>
  atMost(
    `commit beside a raw put of the same bytes, ${engine}, ${String(stateBytes / 1_000)} KB of state`,
    commitToRaw,
    ratioMax,
    'x',
  ),
)
report(
  figures.map(
    (one) =>
      `${one.engine.padEnd(9)} ${String(one.stateBytes / 1_000).padStart(6)} KB  commit ${ms(one.commitMs)}  raw put ${ms(one.rawPutMs)}  whole state ${ms(one.wholePutMs)}  ` +
      `commit/raw ${one.commitToRaw.toFixed(2)}x  whole/commit ${one.wholeToCommit.toFixed(1)}x  ${String(one.commitBytes)} B of ${String(one.wholeBytes)}`,
  ),
  { name: 'save', rounds, figures, aims },
)

function figuresOf(engine: EngineName, stateBytes: number, times: SaveTimes): Figures {
  const of = (numbers: readonly number[]) => ({
    p50: round(quantile(numbers, 0.5)),
    p95: round(quantile(numbers, 0.95)),
  })
  const [commitMs, rawPutMs, wholePutMs] = [of(times.commit), of(times.raw), of(times.whole)]
  return {
    engine,
    stateBytes,
    commitMs,
    rawPutMs,
    wholePutMs,
    commitToRaw: round(commitMs.p50 / rawPutMs.p50),
    wholeToCommit: round(wholePutMs.p50 / commitMs.p50),
    commitBytes: times.commitBytes,
    wholeBytes: times.wholeBytes,
  }
}

function ms({ p50, p95 }: { readonly p50: number; readonly p95: number }): string {
  return `${p50.toFixed(2)} / ${p95.toFixed(2)} ms`
}
