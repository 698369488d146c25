import { deflate, inflate } from '../deflate.ts'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Head } from '../ports/log-store.ts'
import { digestBytes } from '../state/digest.ts'
import { joinLines, splitLines } from '../sync/wire.ts'
import { sameBytes } from '../state/bytes.ts'
import type { Table } from './lazy-table.ts'
import { bytesOf, firstOf, type Keys, type Sql } from './sql.ts'

/**
 * One row an append, however many entries it has, up to a page of them. `seq` is the key of its first entry. A row that
 * is packed begins with a byte that no line begins with.
 */
export const logTable: Table = {
  name: 'waystone_log',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_log (seq INTEGER PRIMARY KEY, entries INTEGER NOT NULL, time INTEGER NOT NULL, lines BLOB NOT NULL)',
}

/** A row of the log. */
export interface LogRow {
  readonly seq: number
  readonly entries: number
  /** When it was stored, in ms since 1970. */
  readonly time: number
  readonly lines: Uint8Array | ArrayBuffer
}

/** The first byte of a packed row. The length of its lines follows as four bytes, low byte first, then raw DEFLATE. */
const packedMark = 1
/** The first byte of a row whose lines are away. The length of its lines follows, too, then where they are. */
export const awayMark = 2
const packedHeader = 5

/** The row that holds an entry, or the last one before it. */
export function rowAt(sql: Sql, keys: Keys, key = keys.last): LogRow | undefined {
  return firstOf(
    sql.rows<LogRow>(
      'SELECT seq, entries, time, lines FROM waystone_log WHERE seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1',
      keys.first,
      key,
    ),
  )
}

/** The rows from the one that holds an entry on, or from the first. */
export function rowsFrom(sql: Sql, keys: Keys, key: number): Iterable<LogRow> {
  return sql.rows<LogRow>(
    `SELECT seq, entries, time, lines FROM waystone_log WHERE seq BETWEEN
      coalesce((SELECT max(seq) FROM waystone_log WHERE seq BETWEEN ? AND ?), ?) AND ? ORDER BY seq`,
    keys.first,
    key,
    keys.first,
    keys.last,
  )
}

/** Puts lines behind all others, in as few rows as may hold them. */
export function insertRows(sql: Sql, keys: Keys, from: number, lines: readonly Uint8Array[]): void {
  let next = from
  for (const batch of batchesOf(lines)) {
    const key = keys.of(next)
    next += batch.length
    keys.of(next - 1)
    sql.run(
      'INSERT INTO waystone_log (seq, entries, time, lines) VALUES (?, ?, ?, ?)',
      key,
      batch.length,
      Date.now(),
      joinLines(batch),
    )
  }
}

/** Lines in groups of at most a page: a row of a Durable Object may have 2 MB. */
export function batchesOf(lines: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const batches: Uint8Array[][] = []
  let bytes = Infinity
  for (const line of lines) {
    if (bytes + line.byteLength > limits.pageBytesMax) {
      batches.push([])
      bytes = 0
    }
    batches.at(-1)?.push(line)
    bytes += line.byteLength
  }
  return batches
}

/** True for a row whose lines have to be inflated, or are away. */
export function isPacked(row: LogRow): boolean {
  const bytes = bytesOf(row.lines)
  return (bytes[0] === packedMark || bytes[0] === awayMark) && bytes.byteLength >= packedHeader
}

/** True for a row whose lines are away. */
export function isAway(row: LogRow): boolean {
  return bytesOf(row.lines)[0] === awayMark
}

/** How many bytes the lines of a row have once they are inflated. */
export function lineBytes(row: LogRow): number {
  const bytes = bytesOf(row.lines)
  return isPacked(row) ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true) : bytes.byteLength
}

/** The lines of a row that is not packed, whatever they are: what is damaged is for the reader of a log to find. */
export function plainLines(row: LogRow): readonly Uint8Array[] {
  const bytes = bytesOf(row.lines)
  if (bytes.at(-1) === lineEnd) return splitLines(bytes)
  const end = bytes.lastIndexOf(lineEnd) + 1
  return [...splitLines(bytes.subarray(0, end)), bytes.slice(end)]
}

/** The lines of a row that is here; one that cannot be inflated is a line that is none. */
export async function linesOf(row: LogRow): Promise<readonly Uint8Array[]> {
  if (!isPacked(row)) return plainLines(row)
  const packed = bytesOf(row.lines)
  const lines = await inflate(packed.subarray(packedHeader)).catch(() => undefined)
  return lines ? plainLines({ ...row, lines }) : [packed.slice()]
}

/** True for a row that has as many lines as it was stored with. */
export function isWhole(row: LogRow): boolean {
  return bytesOf(row.lines).at(-1) === lineEnd && plainLines(row).length === row.entries
}

/** True when the rows are still those that were read. */
export function isSame(sql: Sql, group: readonly LogRow[]): boolean {
  const range = [group[0]?.seq ?? 0, group.at(-1)?.seq ?? 0] as const
  let count = 0
  for (const row of sql.rows<LogRow>(
    'SELECT seq, entries, time, lines FROM waystone_log WHERE seq BETWEEN ? AND ? ORDER BY seq',
    ...range,
  )) {
    const before = group[count++]
    if (before?.seq !== row.seq || !sameBytes(bytesOf(before.lines), bytesOf(row.lines))) return false
  }
  return count === group.length
}

const lineEnd = 10

/** Lines, joined, as a packed row has them; undefined when that does not make them smaller. */
export async function pack(lines: Uint8Array): Promise<Uint8Array | undefined> {
  const small = await deflate(lines)
  if (small === undefined) return undefined
  const packed = new Uint8Array(packedHeader + small.byteLength)
  packed[0] = packedMark
  new DataView(packed.buffer).setUint32(1, lines.byteLength, true)
  packed.set(small, packedHeader)
  return packed
}

/** The head of a log that ends with the line at an index of a row. The line is not read: it may be damaged. */
export function headAt(
  keys: Keys,
  row: LogRow,
  lines: readonly Uint8Array[],
  index: number = lines.length - 1,
): Head | undefined {
  const line = lines[index]
  return line && { seq: row.seq - keys.first + index, digest: digestBytes(line) as Digest }
}
