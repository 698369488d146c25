import { round } from './_report.ts'
import { counted, type Wire } from './_wire.ts'

// What Cloudflare asks on the paid plan beyond what is included, in dollars: "Pricing" of Durable Objects and of Workers,
// https://developers.cloudflare.com/durable-objects/platform/pricing and .../workers/platform/pricing, read 2026-11.

/** A request to a worker, and one to an object. */
const workerRequest = 0.3 / 1e6
const objectRequest = 0.15 / 1e6
/** A row of SQLite. An index counts as rows of its own; an alarm that is set counts as one row written. */
const rowWritten = 1 / 1e6
const rowRead = 0.001 / 1e6
/** What is stored, a month, in GB of 10^9 bytes. */
const storedGb = 0.2
/** While an object is at work, whatever it uses of its 128 MB. */
const gbSecond = 12.5 / 1e6
const objectGb = 0.128

/** What some checkpoints took at the edge. */
interface EdgeUse {
  readonly checkpoints: number
  /** HTTP requests. Each is one to the worker and one to the object. */
  readonly requests: number
  readonly rowsWritten: number
  readonly rowsRead: number
  readonly storedBytes: number
  /** How long the object was at work. */
  readonly busyMs: number
}

/**
 * What a million such checkpoints cost in dollars, kept for one month. Left out: the CPU time of the worker, $0.02 a million
 * ms, and what is put into R2.
 */
function dollarsAMillion(use: EdgeUse) {
  const million = 1e6 / use.checkpoints
  const requests = million * use.requests * (workerRequest + objectRequest)
  const rows = million * (use.rowsWritten * rowWritten + use.rowsRead * rowRead)
  const stored = ((million * use.storedBytes) / 1e9) * storedGb
  const duration = million * (use.busyMs / 1_000) * objectGb * gbSecond
  return {
    requests: round(requests),
    rows: round(rows),
    stored: round(stored),
    duration: round(duration),
    all: round(requests + rows + stored + duration),
  }
}

/** What an object of the benchmark's own class tells of its storage. */
interface Told {
  readonly written: Readonly<Record<string, number>>
  readonly read: number
  readonly bytes: number
  /** When its alarm is due, in ms since 1970; null when none is set. */
  readonly alarm: number | null
}

/** Asks the object of a run that counts. */
export async function tellOf(url: string, run: string): Promise<Told> {
  return (await (await fetch(`${url}/counts/${run}`)).json()) as Told
}

/** Whose cost is counted: a run in an object that counts, pushed over a wire that counts. */
export interface Counting {
  /** Of the edge. */
  readonly url: string
  readonly wire: Wire
  readonly what: string
  readonly run: string
  /** How many `work` makes. */
  readonly checkpoints: number
}

/** What each checkpoint takes of what Cloudflare bills, and what a million cost. */
export async function costOf({ url, wire, what, run, checkpoints }: Counting, work: () => Promise<void>) {
  const before = await tellOf(url, run)
  const from = performance.now()
  const { requests, sent } = await counted(wire, work)
  // How long the pushes took here, which is more than the object was at work.
  const busyMs = performance.now() - from
  const after = await tellOf(url, run)
  const per = (number: number): number => round(number / checkpoints)
  const written = Object.entries(after.written)
    .map(([name, rows]) => [name, rows - (before.written[name] ?? 0)] as const)
    .filter(([, rows]) => rows > 0)
  const use: EdgeUse = {
    ...{ checkpoints, requests, busyMs },
    rowsWritten: written.reduce((sum, [, rows]) => sum + rows, 0),
    rowsRead: after.read - before.read,
    storedBytes: after.bytes - before.bytes,
  }
  const each = {
    requests: per(requests),
    rowsWritten: per(use.rowsWritten),
    written: Object.fromEntries(written.map(([name, rows]) => [name, per(rows)])),
    rowsRead: per(use.rowsRead),
    sentBytes: per(sent),
    storedBytes: per(use.storedBytes),
    busyMs: per(busyMs),
  }
  return { what, checkpoints, each, dollars: dollarsAMillion(use) }
}
