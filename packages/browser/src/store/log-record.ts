import { inflate, limits, WaystoneError, type RunId } from '@waystone/core'
import type { LogKey, LogRecord } from './database.ts'

/** The sequence number of the first line of a record. Throws `log_damaged` for what is no record. */
export function firstSeqOf(run: string, [, to]: LogKey, record: LogRecord): number {
  const { ends } = record as { ends: unknown }
  if (!Array.isArray(ends) || ends.length === 0 || ends.length > to + 1) throw damaged(run)
  return to - ends.length + 1
}

/** How many bytes the lines of a record have. */
export function lineBytes(record: LogRecord): number {
  return record.ends.at(-1) ?? 0
}

/** The lines of a record that is not deflated, each in memory of its own. Throws `log_damaged` for what is no record. */
export function linesOf(run: string, record: LogRecord): readonly Uint8Array[] {
  const { ends, bytes } = record as { ends: unknown; bytes: unknown }
  if (!Array.isArray(ends) || !(bytes instanceof ArrayBuffer) || ends.at(-1) !== bytes.byteLength)
    throw damaged(run)
  return record.ends.map((end, index) => new Uint8Array(bytes.slice(record.ends[index - 1] ?? 0, end)))
}

/** A record as it was before it was deflated. Never inside of a transaction. Rejects with `log_damaged`. */
export async function inflated(run: string, record: LogRecord): Promise<LogRecord> {
  if (!record.deflated) return record
  try {
    const bytes = await inflate(new Uint8Array(record.bytes))
    return { ends: record.ends, bytes: bytes.buffer }
  } catch (cause) {
    throw damaged(run, cause)
  }
}

/** Lines as one record; copies them. */
export function recordOf(lines: readonly Uint8Array[]): LogRecord {
  const ends: number[] = []
  let end = 0
  for (const line of lines) ends.push((end += line.byteLength))
  const bytes = new Uint8Array(end)
  for (const [index, line] of lines.entries()) bytes.set(line, ends[index - 1] ?? 0)
  return { ends, bytes: bytes.buffer }
}

/** Lines in as few groups as fit one record each. */
export function splitLines(lines: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const groups: Uint8Array[][] = []
  let bytes: number = limits.recordBytesMax
  for (const line of lines) {
    const cost = line.byteLength + endBytes
    bytes += cost
    if (bytes >= limits.recordBytesMax) {
      groups.push([])
      bytes = cost
    }
    groups.at(-1)?.push(line)
  }
  return groups
}

/** True when a record of so many bytes and lines is as large as one may be, or smaller. */
export function fitsRecord(bytes: number, lines: number): boolean {
  return bytes + lines * endBytes < limits.recordBytesMax
}

/** What a line costs in a record beside its own bytes: at most this much for its end. */
const endBytes = 10

/** Records that were inflated before a transaction that needs their lines. */
export class Inflated {
  readonly #run: RunId
  readonly #lines = new Map<string, readonly Uint8Array[]>()

  constructor(run: RunId) {
    this.#run = run
  }

  async add(key: LogKey, record: LogRecord): Promise<void> {
    this.#lines.set(nameOf(key, record), linesOf(this.#run, await inflated(this.#run, record)))
  }

  /** The lines of a record; undefined for one that is deflated and was not added. */
  linesOf(key: LogKey, record: LogRecord): readonly Uint8Array[] | undefined {
    return record.deflated ? this.#lines.get(nameOf(key, record)) : linesOf(this.#run, record)
  }
}

/** The digest of its last line and how many there are say what lines a record has, since they are chained. */
function nameOf([, to, digest]: LogKey, { ends }: LogRecord): string {
  return `${String(to)} ${digest} ${String(ends.length)}`
}

function damaged(run: string, cause?: unknown): WaystoneError {
  return new WaystoneError('log_damaged', `a stored record of run ${run} is not what was written`, {
    run,
    ...(cause === undefined ? {} : { cause }),
  })
}
