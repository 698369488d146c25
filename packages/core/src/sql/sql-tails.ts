import { headOfLine } from '../log/plan-append.ts'
import type { Append } from '../ports/log-store.ts'
import { tailName, type SetAside, type Tails } from '../ports/tails.ts'
import { joinLines, splitLines } from '../sync/wire.ts'
import { lazyTable, runsIn, type Table } from './lazy-table.ts'
import { batchesOf } from './log-rows.ts'
import { bytesOf, firstOf, keysOf, type Keys, type RunNumbers, type Sql } from './sql.ts'

/** A tail is one row, or a few that follow each other when it is large. */
export const tailsTable: Table = {
  name: 'waystone_aside',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_aside (number INTEGER PRIMARY KEY, name TEXT NOT NULL, reason TEXT NOT NULL, time INTEGER NOT NULL, lines BLOB NOT NULL)',
}

interface AsideRow {
  readonly name: string
  readonly reason: string
  readonly time: number
  readonly lines: Uint8Array | ArrayBuffer
}

/** What appends have set aside, in SQLite. */
export function sqlTails(sql: Sql, numbers: RunNumbers): Tails {
  const runs = runsIn(lazyTable(sql, tailsTable), numbers)
  return {
    async list(run) {
      const number = runs.find(run)
      return number === undefined ? [] : tailsIn(asideRows(sql, keysOf(number)))
    },
    async drop(run, name) {
      const number = runs.find(run)
      if (number === undefined) return
      const { first, last } = keysOf(number)
      sql.transaction('relaxed', () => {
        sql.run('DELETE FROM waystone_aside WHERE number BETWEEN ? AND ? AND name = ?', first, last, name)
      })
    },
  }
}

/** Keeps lines that make way for others. Called inside of their transaction. */
export function setAside(
  sql: Sql,
  keys: Keys,
  from: number,
  { reason, time }: Required<Append>['setAside'],
  lines: readonly Uint8Array[],
): void {
  lazyTable(sql, tailsTable).make()
  const last = firstOf(
    sql.rows<{ number: number | null }>(
      'SELECT max(number) AS number FROM waystone_aside WHERE number BETWEEN ? AND ?',
      keys.first,
      keys.last,
    ),
  )
  let next = (last?.number ?? keys.first) + 1
  for (const batch of batchesOf(lines)) {
    sql.run(
      'INSERT INTO waystone_aside (number, name, reason, time, lines) VALUES (?, ?, ?, ?, ?)',
      next++,
      tailName(from, time),
      reason,
      time,
      joinLines(batch),
    )
  }
}

function asideRows(sql: Sql, { first, last }: Keys): Iterable<AsideRow> {
  return sql.rows<AsideRow>(
    'SELECT name, reason, time, lines FROM waystone_aside WHERE number BETWEEN ? AND ? ORDER BY number',
    first,
    last,
  )
}

/** The sequence number of a line, which may be damaged. */
function seqOf(line: Uint8Array | undefined): number | undefined {
  try {
    return line && headOfLine(line).seq
  } catch {
    return undefined
  }
}

/** Rows as tails: a row goes on with the tail before it when its first entry is the next of that. */
function tailsIn(rows: Iterable<AsideRow>): readonly SetAside[] {
  const tails: (Omit<SetAside, 'lines'> & { readonly lines: Uint8Array[] })[] = []
  let next: number | undefined
  for (const { name, reason, time, lines: bytes } of rows) {
    const lines = splitLines(bytesOf(bytes))
    const begins = seqOf(lines[0])
    const before = tails.at(-1)
    if (before?.name === name && (begins ?? next) === next) before.lines.push(...lines)
    else tails.push({ name, reason, time, lines })
    next = (begins ?? next ?? 0) + lines.length
  }
  return tails
}
