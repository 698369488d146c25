import { concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { deflate } from '../deflate.ts'
import type { Digest, RunId } from '../ids.ts'
import type { HistoryObjects } from '../ports/history.ts'
import { digestBytes } from '../state/digest.ts'
import { joinLines } from '../sync/wire.ts'
import { awayBytes, awayRow, type Away } from './away-rows.ts'
import {
  awayMark,
  isAway,
  isPacked,
  isSame,
  isWhole,
  linesOf,
  logTable,
  plainLines,
  type LogRow,
} from './log-rows.ts'
import { lazyTable, runsIn, type Table } from './lazy-table.ts'
import { bytesOf, firstOf, keysOf, type Keys, type RunNumbers, type Sql } from './sql.ts'

const sizes = 'bytes INTEGER NOT NULL DEFAULT 0'
/** The objects of a run, noted before they are put: one that no row names is one that can go. */
export const historyTable: Table = {
  name: 'waystone_history',
  schema: `CREATE TABLE IF NOT EXISTS waystone_history (hash TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, ${sizes}) WITHOUT ROWID`,
  added: { bytes: `ALTER TABLE waystone_history ADD COLUMN ${sizes}` },
}

/** When lines move out of the database. */
export interface MovingOptions {
  /** Rows stay that have fewer entries than this after them, */
  readonly entries: number
  /** and fewer bytes. */
  readonly bytes: number
  /** An object has at least so many bytes of lines, and at most one row more. */
  readonly objectBytes: number
  /** So many of them are read and inflated at once. */
  readonly rangeBytes: number
}

/** Lines that become one row, and one range of an object. */
interface Segment {
  readonly rows: readonly LogRow[]
  readonly lines: Uint8Array
}

/** Moves the history of runs out of a database. One call at a time for each run. */
export interface HistoryMover {
  /** Moves the oldest lines that are due; true when there may be more. Killed at any moment it leaves a whole log. */
  move(run: RunId): Promise<boolean>
  /** Removes the objects that no row names. */
  sweep(run: RunId): Promise<void>
  /** What the objects of all runs of the database have together, in bytes. Added up once, and then kept. */
  bytes(): number
}

/** See `HistoryMover`. `numbers` as the store of the logs has them. */
export function historyMover(
  sql: Sql,
  numbers: RunNumbers,
  history: HistoryObjects,
  options: MovingOptions,
): HistoryMover {
  const runs = runsIn(lazyTable(sql, logTable), numbers)
  const notes = lazyTable(sql, historyTable)
  let total: number | undefined
  return {
    bytes() {
      if (!notes.isThere()) return 0
      const query = 'SELECT coalesce(sum(bytes), 0) AS bytes FROM waystone_history'
      return (total ??= firstOf(sql.rows<{ bytes: number }>(query))?.bytes ?? 0)
    },
    async move(run) {
      const number = runs.find(run)
      if (number === undefined) return false
      const keys = keysOf(number)
      const segments = await nextSegments(sql, keys, options)
      const [first] = segments[0]?.rows ?? []
      const last = segments.at(-1)?.rows.at(-1)
      if (first === undefined || last === undefined) return false
      const { bytes, places } = await objectOf(segments)
      const hash = digestBytes(bytes) as Digest
      // Noted first: should all end before a row names it, it is known to be nobody's.
      const note = 'INSERT OR REPLACE INTO waystone_history (hash, first, last, bytes) VALUES (?, ?, ?, ?)'
      total = undefined
      sql.transaction('relaxed', () => {
        notes.make()
        sql.run(note, hash, first.seq, last.seq, bytes.byteLength)
      })
      await history.put(run, hash, bytes)
      return sql.transaction('relaxed', () => replaceRows(sql, segments, places, hash))
    },
    async sweep(run) {
      const number = runs.find(run)
      if (number === undefined || !notes.isThere()) return
      const noted = [...sql.rows<Note>('SELECT hash, first, last FROM waystone_history')]
      const { first, last } = keysOf(number)
      for (const note of noted) {
        if (note.first < first || note.last > last || isNamed(sql, note)) continue
        await history.remove(run, note.hash)
        total = undefined
        sql.transaction('relaxed', () => sql.run('DELETE FROM waystone_history WHERE hash = ?', note.hash))
      }
    },
  }
}

interface Note {
  readonly hash: Digest
  readonly first: number
  readonly last: number
}

/** The oldest rows that are due, in groups that become one row each; none when they are too few to be worth an object. */
async function nextSegments(sql: Sql, keys: Keys, options: MovingOptions): Promise<readonly Segment[]> {
  const rows: LogRow[] = []
  let bytes = 0
  const query = `SELECT seq, entries, time, lines FROM waystone_log
    WHERE seq >= ? AND seq < ? AND NOT (length(lines) = ${String(awayBytes)} AND substr(lines, 1, 1) = x'02') ORDER BY seq`
  for (const row of sql.rows<LogRow>(query, keys.first, dueBefore(sql, keys, options))) {
    // What is damaged stays where it is.
    if (isAway(row) || (!isPacked(row) && !isWhole(row))) continue
    rows.push(row)
    bytes += bytesOf(row.lines).byteLength
    if (bytes >= options.objectBytes) break
  }
  return bytes < options.objectBytes ? [] : segmentsOf(rows, options.rangeBytes)
}

/** The key before which rows are due: what is after it is the newest, by number and by size. */
function dueBefore(sql: Sql, keys: Keys, options: MovingOptions): number {
  let [entries, bytes] = [0, 0]
  const query = `SELECT seq, entries, length(lines) AS bytes FROM waystone_log WHERE seq BETWEEN ? AND ? ORDER BY seq DESC`
  for (const row of sql.rows<{ seq: number; entries: number; bytes: number }>(query, keys.first, keys.last)) {
    entries += row.entries
    bytes += row.bytes
    // The row of the head always stays.
    if (entries >= options.entries || bytes >= options.bytes) return row.seq
  }
  return keys.first
}

async function segmentsOf(rows: readonly LogRow[], rangeBytes: number): Promise<readonly Segment[]> {
  const segments: { readonly rows: LogRow[]; readonly lines: Uint8Array[]; bytes: number }[] = []
  for (const row of rows) {
    const lines = isPacked(row) ? await linesOf(row) : plainLines(row)
    if (lines.length !== row.entries) continue
    const joined = joinLines(lines)
    const open = segments.at(-1)
    const before = open?.rows.at(-1)
    const follows = before !== undefined && before.seq + before.entries === row.seq
    if (open && follows && open.bytes + joined.byteLength <= rangeBytes) {
      open.rows.push(row)
      open.lines.push(joined)
      open.bytes += joined.byteLength
    } else segments.push({ rows: [row], lines: [joined], bytes: joined.byteLength })
  }
  return segments.map((segment) => ({ rows: segment.rows, lines: concatBytes(...segment.lines) }))
}

/** One object of all segments, and where each is in it. */
async function objectOf(
  segments: readonly Segment[],
): Promise<{ readonly bytes: Uint8Array; readonly places: readonly Omit<Away, 'hash'>[] }> {
  const parts: Uint8Array[] = []
  const places: Omit<Away, 'hash'>[] = []
  let offset = 0
  for (const { lines } of segments) {
    const part = (await deflate(lines)) ?? lines
    places.push({ bytes: lines.byteLength, offset, length: part.byteLength })
    parts.push(part)
    offset += part.byteLength
  }
  return { bytes: concatBytes(...parts), places }
}

/** Puts rows that say where the lines are in the place of those that have them; false when those have changed. */
function replaceRows(
  sql: Sql,
  segments: readonly Segment[],
  places: readonly Omit<Away, 'hash'>[],
  hash: Digest,
): boolean {
  if (!segments.every(({ rows }) => isSame(sql, rows))) return false
  for (const [index, { rows }] of segments.entries()) {
    const [first] = rows
    const last = rows.at(-1)
    const place = places[index]
    if (first === undefined || last === undefined || place === undefined) continue
    if (rows.length > 1) sql.run('DELETE FROM waystone_log WHERE seq > ? AND seq <= ?', first.seq, last.seq)
    sql.run(
      'UPDATE waystone_log SET entries = ?, time = ?, lines = ? WHERE seq = ?',
      last.seq + last.entries - first.seq,
      last.time,
      awayRow({ ...place, hash }, awayMark),
      first.seq,
    )
  }
  return true
}

function isNamed(sql: Sql, { hash, first, last }: Note): boolean {
  const query = `SELECT 1 FROM waystone_log WHERE seq BETWEEN ? AND ?
    AND length(lines) = ${String(awayBytes)} AND substr(lines, 14) = ? LIMIT 1`
  return firstOf(sql.rows(query, first, last, hexToBytes(hash))) !== undefined
}
