import { limits, WaystoneError, type InboxItem, type RunSummary } from '@waystone/core'
import type { DBSchema, IDBPDatabase } from 'idb'

/** The number of the layout of stores below. It stays 1 as long as records can say their own format. */
export const databaseVersion = 1

/** `to` is the sequence number of the record's last line, and `digest` its digest: the last key of a run is its head. */
export type LogKey = [run: string, to: number, digest: string]

/** Lines of one append, or of a part of it, one after the other. */
export interface LogRecord {
  /** Where each line ends in `bytes`. */
  readonly ends: readonly number[]
  // A Blob in IndexedDB can lose its file (WebKit, 2025); an ArrayBuffer is part of the record.
  readonly bytes: ArrayBuffer
}

/** A part of a tail that was set aside. */
export interface AsideRecord extends LogRecord {
  readonly name: string
  readonly reason: string
  readonly time: number
}

/** An inbox item with the run it waits for. */
export interface InboxRecord {
  readonly run: string
  readonly item: InboxItem
}

/** The stores of the database. */
export interface Schema extends DBSchema {
  log: { key: LogKey; value: LogRecord }
  runs: { key: string; value: RunSummary }
  /** `order` counts the tails of a run, `part` the records of a tail. */
  aside: { key: [run: string, order: number, part: number]; value: AsideRecord }
  blobs: { key: string; value: ArrayBuffer }
  /** Keyed by arrival. */
  inbox: {
    key: number
    value: InboxRecord
    indexes: { run: string; id: [run: string, id: string]; ask: [run: string, ask: string] }
  }
  /** `at` is the position of the record's text in its stream. */
  streams: { key: [run: string, stream: string, at: number]; value: string }
  meta: { key: string; value: string }
}

/** The open database. */
export type Database = IDBPDatabase<Schema>

/** Makes the stores of a new database. */
export function createStores(db: Database): void {
  db.createObjectStore('log')
  db.createObjectStore('runs')
  db.createObjectStore('aside')
  db.createObjectStore('blobs')
  const inbox = db.createObjectStore('inbox', { autoIncrement: true })
  inbox.createIndex('run', 'run')
  inbox.createIndex('id', ['run', 'item.id'])
  // An item that is no answer has no `ask` and so no place in this index.
  inbox.createIndex('ask', ['run', 'item.ask'])
  db.createObjectStore('streams')
  db.createObjectStore('meta')
}

/** The range of all keys that begin with these parts. */
export function keysOf(...parts: readonly string[]): IDBKeyRange {
  return keysFrom(parts, -Infinity)
}

/** The range of all keys that begin with these parts and whose next part is at least a number. */
export function keysFrom(parts: readonly string[], from: number): IDBKeyRange {
  // Arrays come after all numbers and texts in the order of keys.
  return IDBKeyRange.bound([...parts, from], [...parts, []])
}

/** The lines of a record, each in memory of its own. Throws `log_damaged` for what is no record. */
export function linesOf(run: string, record: LogRecord): readonly Uint8Array[] {
  const { ends, bytes } = record as { ends: unknown; bytes: unknown }
  if (!Array.isArray(ends) || !(bytes instanceof ArrayBuffer) || ends.at(-1) !== bytes.byteLength) {
    throw new WaystoneError('log_damaged', `a stored record of run ${run} is not what was written`, { run })
  }
  return record.ends.map((end, index) => new Uint8Array(bytes.slice(record.ends[index - 1] ?? 0, end)))
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

/** What a line costs in a record beside its own bytes: at most this much for its end. */
const endBytes = 10
