import type { Compaction, Head } from '../ports/log-store.ts'
import { bytesOf, firstOf, type Keys, type Sql } from './sql.ts'
import { lazyTable, type Table } from './lazy-table.ts'
import { headAt, isPacked, isSame, isWhole, pack, plainLines, rowAt, type LogRow } from './log-rows.ts'
import { joinLines } from '../sync/wire.ts'

/** How far a log is packed: `seq` is the key of the first row that was not looked at yet. */
export const coldTable: Table = {
  name: 'waystone_cold',
  schema: 'CREATE TABLE IF NOT EXISTS waystone_cold (run INTEGER PRIMARY KEY, seq INTEGER NOT NULL)',
}

/** When packing pays. */
export interface Packing {
  /** Rows are packed together as long as their lines have at most this many bytes; 0: each row by itself. */
  readonly groupBytes: number
  /** How many bytes it has to save for each row that it writes or deletes. */
  readonly savedBytesMin: number
}

/** Rows that are let go in one transaction, so that it is short. */
const forgottenAtOnce = 256

/** Lets rows go and packs others. Every transaction leaves a whole log. False when it ends otherwise than the compaction says. */
export async function compactRows(
  sql: Sql,
  keys: Keys,
  { forget, cold, head }: Compaction,
  packing: Packing,
): Promise<boolean> {
  for (;;) {
    const forgot = forgetSome(sql, keys, forget, head)
    if (forgot === undefined) return false
    if (!forgot) break
    await sql.task()
  }
  const before = coldBefore(sql, keys) ?? keys.first
  let from = before
  for (;;) {
    const group = nextGroup(sql, keys, from, cold, packing)
    const last = group.at(-1)
    if (last === undefined) break
    await packGroup(sql, group, packing)
    from = last.seq + last.entries
  }
  if (from > before) keepProgress(sql, keys, from)
  return true
}

/** Lets the oldest rows go; true when there may be more, undefined when the log does not end with `end`. The row of the head and that of `forget` stay. */
function forgetSome(sql: Sql, keys: Keys, forget: number, end: Head | undefined): boolean | undefined {
  return sql.transaction('relaxed', () => {
    const head = rowAt(sql, keys)
    if (end && (head === undefined || headAt(keys, head, plainLines(head))?.digest !== end.digest))
      return undefined
    const stays = rowAt(sql, keys, Math.min(keys.first + Math.max(0, forget), keys.last))
    if (head === undefined || stays === undefined) return false
    const upTo = Math.min(head.seq, stays.seq)
    const oldest = 'SELECT seq FROM waystone_log WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?'
    const seqs = [...sql.rows<{ seq: number }>(oldest, keys.first, upTo, forgottenAtOnce)]
    const last = seqs.at(-1)
    if (last === undefined) return false
    sql.run('DELETE FROM waystone_log WHERE seq BETWEEN ? AND ?', keys.first, last.seq)
    return seqs.length === forgottenAtOnce
  })
}

/** The next rows to be packed together: before `cold`, before the head, and not packed but for one by itself. */
function nextGroup(
  sql: Sql,
  keys: Keys,
  from: number,
  cold: number,
  { groupBytes }: Packing,
): readonly LogRow[] {
  const head = rowAt(sql, keys)
  const group: LogRow[] = []
  let bytes = 0
  if (head === undefined) return group
  const rows = sql.rows<LogRow>(
    'SELECT seq, entries, time, lines FROM waystone_log WHERE seq >= ? AND seq < ? AND seq + entries <= ? ORDER BY seq',
    from,
    head.seq,
    keys.first + cold,
  )
  for (const row of rows) {
    bytes += bytesOf(row.lines).byteLength
    if (group.length > 0 && (bytes > groupBytes || isPacked(row))) break
    group.push(row)
    if (isPacked(row)) break
  }
  return group
}

/** Packs rows into one, if that pays, and if nobody has changed them when that is done. */
async function packGroup(sql: Sql, group: readonly LogRow[], { savedBytesMin }: Packing): Promise<void> {
  const [first] = group
  const last = group.at(-1)
  const bytes = group.reduce((sum, { lines }) => sum + bytesOf(lines).byteLength, 0)
  const mustSave = savedBytesMin * group.length
  if (first === undefined || last === undefined || isPacked(first) || bytes <= mustSave) return
  // What is damaged stays as it is.
  if (!group.every(isWhole)) return
  const lines = joinLines(group.flatMap(plainLines))
  const packed = await pack(lines)
  if (packed === undefined || bytes - packed.byteLength < mustSave) return
  sql.transaction('relaxed', () => {
    if (!isSame(sql, group)) return
    sql.run('DELETE FROM waystone_log WHERE seq > ? AND seq <= ?', first.seq, last.seq)
    sql.run(
      'UPDATE waystone_log SET entries = ?, time = ?, lines = ? WHERE seq = ?',
      last.seq + last.entries - first.seq,
      last.time,
      packed,
      first.seq,
    )
  })
}

/** The key before which rows were looked at; undefined when none was. */
function coldBefore(sql: Sql, { run }: Keys): number | undefined {
  if (!lazyTable(sql, coldTable).isThere()) return undefined
  return firstOf(sql.rows<{ seq: number }>('SELECT seq FROM waystone_cold WHERE run = ?', run))?.seq
}

/** What is packed from here on is packed anew. Called inside of a transaction. */
export function forgetCold(sql: Sql, { run }: Keys): void {
  if (lazyTable(sql, coldTable).isThere()) sql.run('DELETE FROM waystone_cold WHERE run = ?', run)
}

function keepProgress(sql: Sql, keys: Keys, from: number): void {
  sql.transaction('relaxed', () => {
    const head = rowAt(sql, keys)
    // A tail that was set aside meanwhile took what was packed with it.
    const reached = Math.min(from, head?.seq ?? keys.first)
    lazyTable(sql, coldTable).make()
    sql.run('INSERT OR REPLACE INTO waystone_cold (run, seq) VALUES (?, ?)', keys.run, reached)
  })
}
