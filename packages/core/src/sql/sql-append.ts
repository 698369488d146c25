import type { RunId } from '../ids.ts'
import { parseLine } from '../log/entry.ts'
import { planAppend } from '../log/plan-append.ts'
import type { Append, Appended, Head } from '../ports/log-store.ts'
import { sameBytes } from '../state/bytes.ts'
import type { LineReader } from './away-rows.ts'
import { headAt, insertRows, isPacked, plainLines, rowAt, rowsFrom, type LogRow } from './log-rows.ts'
import { bytesOf, firstOf, keysOf, type Keys, type RunNumbers, type Sql } from './sql.ts'
import { forgetCold } from './sql-compact.ts'
import { putSummary } from './sql-summaries.ts'
import { setAside } from './sql-tails.ts'

/** The lines of packed rows, which cannot be inflated inside of a transaction. */
export type Inflated = Map<number, { readonly stored: Uint8Array; readonly lines: readonly Uint8Array[] }>

/** Stores an append in one transaction; undefined when it needs lines of packed rows that are not inflated. */
export function appendRows(
  sql: Sql,
  runs: RunNumbers,
  run: RunId,
  append: Append,
  inflated: Inflated,
): Appended | undefined {
  return sql.transaction(append.durability, () => {
    try {
      return appendIn(sql, runs, run, append, inflated)
    } catch (error) {
      // Whatever needs lines needs them before anything is written.
      if (error === needsInflating) return undefined
      throw error
    }
  })
}

function appendIn(sql: Sql, runs: RunNumbers, run: RunId, append: Append, inflated: Inflated): Appended {
  const number = runs.find(run)
  const log = number === undefined ? undefined : readLog(sql, keysOf(number), inflated)
  const plan = planAppend(append, log?.head(), (seq) => log?.at(seq, append))
  if (!plan.ok) return plan
  const keys = keysOf(number ?? runs.make(run))
  const aside = append.setAside ? cut(sql, keys, plan.keep, inflated) : []
  if (append.setAside && aside.length > 0) setAside(sql, keys, plan.keep, append.setAside, aside)
  insertRows(sql, keys, plan.from, plan.lines)
  const isRepeat = plan.lines.length === 0 && append.lines.length > 0 && aside.length === 0
  if (append.summary && !isRepeat) putSummary(sql, keys, append.summary)
  return { ok: true, head: plan.head }
}

/** Brings what an append over packed rows may need: what it is compared with or sets aside, and the last row. */
export async function inflateFor(
  sql: Sql,
  reader: LineReader,
  run: RunId,
  keys: Keys,
  { base, lines, setAside: cuts, begins }: Append,
): Promise<Inflated> {
  const from = cuts && begins ? 0 : (base?.seq ?? 0)
  const packed: LogRow[] = []
  for (const row of rowsFrom(sql, keys, keys.of(from))) {
    if (!cuts && row.seq > keys.of(from + lines.length)) break
    if (isPacked(row)) packed.push(row)
  }
  const last = rowAt(sql, keys)
  if (last && isPacked(last)) packed.push(last)
  const inflated: Inflated = new Map()
  for (const row of packed) {
    const lines = await reader.lines(run, keys, row)
    if (lines) inflated.set(row.seq, { stored: bytesOf(row.lines), lines })
  }
  return inflated
}

/** Thrown by what needs the lines of a packed row. */
const needsInflating = new Error('a packed row has to be inflated first')

/** What an append is compared with. */
function readLog(
  sql: Sql,
  keys: Keys,
  inflated: Inflated,
): { head(): Head | undefined; at(seq: number, append: Append): Head | undefined } {
  // Neighbours are asked for one after the other, and mostly stand in one row.
  let known: { readonly row: LogRow; readonly lines: readonly Uint8Array[] } | undefined
  return {
    head() {
      const row = rowAt(sql, keys)
      return row && headAt(keys, row, linesIn(row, inflated))
    },
    at(seq, append) {
      const key = keys.of(seq)
      if (!known || key < known.row.seq || key >= known.row.seq + known.row.entries) {
        const row = rowAt(sql, keys, key)
        if (row === undefined)
          return append.lines.length > 0 ? headBefore(sql, keys, key, inflated) : undefined
        known = { row, lines: linesIn(row, inflated) }
      }
      return headAt(keys, known.row, known.lines, key - known.row.seq)
    },
  }
}

/** The head right before the first entry that is kept, which names it. */
function headBefore(sql: Sql, keys: Keys, key: number, inflated: Inflated): Head | undefined {
  const row = firstOf(rowsFrom(sql, keys, keys.first))
  if (row?.seq !== key + 1) return undefined
  const [line] = linesIn(row, inflated)
  const { seq, prev } = parseLine(line ?? new Uint8Array())
  return prev === null ? undefined : { seq: seq - 1, digest: prev }
}

/** Takes away the entries from `keep` on and returns them. */
function cut(sql: Sql, keys: Keys, keep: number, inflated: Inflated): readonly Uint8Array[] {
  const rows = [...rowsFrom(sql, keys, keys.of(keep))]
  const first = rows[0]
  if (first === undefined) return []
  const stays = Math.max(0, keys.of(keep) - first.seq)
  const lines = rows.flatMap((row) => linesIn(row, inflated))
  if (stays >= lines.length) return []
  sql.run('DELETE FROM waystone_log WHERE seq BETWEEN ? AND ?', first.seq, keys.last)
  forgetCold(sql, keys)
  if (stays > 0) insertRows(sql, keys, first.seq - keys.first, lines.slice(0, stays))
  return lines.slice(stays)
}

function linesIn(row: LogRow, inflated: Inflated): readonly Uint8Array[] {
  if (!isPacked(row)) return plainLines(row)
  const known = inflated.get(row.seq)
  if (known && sameBytes(known.stored, bytesOf(row.lines))) return known.lines
  throw needsInflating
}
