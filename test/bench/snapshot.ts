import { engineNames, launchEngine, type EngineName } from '../harness/engines.ts'
import { atMost, quantile, report, round } from './_report.ts'
import { servePage } from './_serve-page.ts'
import type { SnapshotRequest, SnapshotTimes } from './pages/snapshot-worker.ts'

// Appends while a snapshot of a large state is made in the same worker, beside the same appends alone.

const request: SnapshotRequest = { bytes: 100_000_000, everyMs: 10, alone: 60 }
/** The aim of issue "A checkpoint costs what changed": how long an append waits behind a snapshot. */
const waitMsMax = 20

const server = await servePage('snapshot')
const figures: {
  engine: EngineName
  alone: ReturnType<typeof quantiles>
  beside: ReturnType<typeof quantiles>
  appends: number
  snapshotMs: number
}[] = []
for (const name of engineNames) {
  const engine = await launchEngine(name)
  const page = await engine.newPage()
  await page.goto(`${server.url}/`)
  await page.waitFor('globalThis.snapshot !== undefined')
  const { alone, beside, snapshotMs } = await page.evaluate<SnapshotTimes>(
    `snapshot(${JSON.stringify(request)})`,
  )
  await engine.close()
  figures.push({
    engine: name,
    alone: quantiles(alone),
    beside: quantiles(beside),
    appends: beside.length,
    snapshotMs: round(snapshotMs),
  })
}
await server.close()

report(
  figures.map(
    ({ engine, alone, beside, appends, snapshotMs }) =>
      `${engine.padEnd(9)} a snapshot of ${String(request.bytes / 1e6)} MB in ${(snapshotMs / 1_000).toFixed(1)} s; ${String(appends)} appends beside it: ` +
      `${ms(beside)}; alone: ${ms(alone)}`,
  ),
  {
    name: 'snapshot',
    ...request,
    figures,
    aims: figures.map(({ engine, alone, beside }) =>
      atMost(
        `an append behind a snapshot of ${String(request.bytes / 1e6)} MB waits, ${engine}, p99`,
        beside.p99 - alone.p50,
        waitMsMax,
        'ms',
      ),
    ),
  },
)

function quantiles(times: readonly number[]) {
  return {
    p50: round(quantile(times, 0.5)),
    p99: round(quantile(times, 0.99)),
    most: round(Math.max(...times)),
  }
}

function ms({ p50, p99, most }: ReturnType<typeof quantiles>): string {
  return `${p50.toFixed(1)} ms (p99 ${p99.toFixed(1)}, most ${most.toFixed(1)})`
}
