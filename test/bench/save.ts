import { engineNames, launchEngine, type EngineName } from '../harness/engines.ts'
import { atLeast, atMost, quantile, report, round, type Aim } from './_report.ts'
import { servePage } from './_serve-page.ts'
import type { SaveRequest, SaveTimes } from './pages/save-messages.ts'

// A durable commit of a turn that adds two messages to a conversation, through a draft and from a plain state that was
// changed in place, beside one raw put of the same bytes and beside putting the whole state, round by round in one run,
// each in a worker of its own.

const sizes = [100_000, 1_000_000, 10_000_000, 100_000_000]
const warmup = 24
/** The aims of issue "A checkpoint costs what changed". */
const ratioMax = 1.5
const bytesBesideChangeMax = 300
const wholeToCommitMin = 50
const wholeToCommitAt = 10_000_000

/** Whole states of 100 MB take a second or two each. */
function roundsAt(bytes: number): Pick<SaveRequest, 'rounds' | 'warmup'> {
  return bytes > 10_000_000 ? { rounds: 24, warmup: 4 } : { rounds: 120, warmup }
}

interface Figures {
  readonly engine: EngineName
  readonly stateBytes: number
  readonly commitMs: { readonly p50: number; readonly p95: number }
  readonly rawPutMs: { readonly p50: number; readonly p95: number }
  readonly plainMs: { readonly p50: number; readonly p95: number }
  readonly wholePutMs: { readonly p50: number; readonly p95: number }
  readonly commitToRaw: number
  readonly wholeToCommit: number
  readonly commitBytes: number
  readonly wholeBytes: number
  readonly changeBytes: number
}

const server = await servePage('save')
const figures: Figures[] = []
for (const name of engineNames) {
  const engine = await launchEngine(name)
  const page = await engine.newPage()
  await page.goto(`${server.url}/`)
  await page.waitFor('window.save !== undefined')
  for (const bytes of sizes) {
    const request: SaveRequest = { bytes, ...roundsAt(bytes) }
    figures.push(figuresOf(name, bytes, await page.evaluate<SaveTimes>(`save(${JSON.stringify(request)})`)))
  }
  await engine.close()
}
await server.close()

const aims: Aim[] = figures.flatMap((one) => {
  const where = `${one.engine}, ${String(one.stateBytes / 1_000)} KB of state`
  return [
    atMost(`commit beside a raw put of the same bytes, ${where}`, one.commitToRaw, ratioMax, 'x'),
    atMost(
      `bytes of a commit beyond what changed, ${where}`,
      one.commitBytes - one.changeBytes,
      bytesBesideChangeMax,
      'bytes',
    ),
    ...(one.stateBytes === wholeToCommitAt
      ? [
          atLeast(
            `putting the whole state beside a commit, ${where}`,
            one.wholeToCommit,
            wholeToCommitMin,
            'x',
          ),
        ]
      : []),
  ]
})
report(
  figures.map(
    (one) =>
      `${one.engine.padEnd(9)} ${String(one.stateBytes / 1_000).padStart(6)} KB  commit/raw ${one.commitToRaw.toFixed(2)}x  whole/commit ${one.wholeToCommit.toFixed(1)}x  ` +
      `commit ${ms(one.commitMs)}  raw put ${ms(one.rawPutMs)}  plain ${ms(one.plainMs)}  whole state ${ms(one.wholePutMs)}  ` +
      `${String(one.commitBytes)} B for ${String(one.changeBytes)}, whole ${String(one.wholeBytes)}`,
  ),
  { name: 'save', figures, aims },
)

function figuresOf(engine: EngineName, stateBytes: number, times: SaveTimes): Figures {
  const of = (numbers: readonly number[]) => ({
    p50: round(quantile(numbers, 0.5)),
    p95: round(quantile(numbers, 0.95)),
  })
  const [commitMs, plainMs] = [of(times.commit), of(times.plain)]
  const [rawPutMs, wholePutMs] = [of(times.raw), of(times.whole)]
  return {
    engine,
    stateBytes,
    commitMs,
    plainMs,
    rawPutMs,
    wholePutMs,
    commitToRaw: round(commitMs.p50 / rawPutMs.p50),
    wholeToCommit: round(wholePutMs.p50 / commitMs.p50),
    commitBytes: times.commitBytes,
    wholeBytes: times.wholeBytes,
    changeBytes: times.changeBytes,
  }
}

function ms({ p50, p95 }: { readonly p50: number; readonly p95: number }): string {
  return `${p50.toFixed(2)} / ${p95.toFixed(2)} ms`
}
