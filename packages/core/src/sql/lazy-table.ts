import type { RunNumbers, Sql } from './sql.ts'

/** A table and the statement that makes it, which does nothing when it is there. */
export interface Table {
  readonly name: string
  readonly schema: string
  /** Columns that later versions have added, and what adds them to a table of an earlier one. */
  readonly added?: Readonly<Record<string, string>>
}

/** A table that is made when a row is first written to it: at the edge, making one costs as much as two rows. */
export interface LazyTable {
  /**
   * False as long as nothing was ever written to it: there is nothing to read, change or delete. Not to be asked in a
   * transaction that has just made it: what is seen is remembered, and a transaction may be taken back.
   */
  isThere(): boolean
  /** Makes it, unless it is there. Call it right before a row is written, also inside of a transaction. */
  make(): void
}

/** See `LazyTable`. Any number of these may know of one table. */
export function lazyTable(sql: Pick<Sql, 'run' | 'rows'>, table: Table): LazyTable {
  /** Looked up until it is there, since tables stay. */
  let isSeen = false
  const isThere = (): boolean => {
    if (isSeen) return true
    isSeen = hasTable(sql, table.name)
    if (isSeen) addColumns(sql, table)
    return isSeen
  }
  return {
    isThere,
    make() {
      if (!isThere()) sql.run(table.schema)
    },
  }
}

/** True when there is a table with this name. */
export function hasTable(sql: Pick<Sql, 'rows'>, name: string): boolean {
  const query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
  // Read to its end: an open cursor locks tables.
  return [...sql.rows(query, name)].length > 0
}

/** Runs as far as a table has any: while it is not there none has a number, and the first that gets one makes it. */
export function runsIn(table: LazyTable, runs: RunNumbers): RunNumbers {
  return {
    find: (run) => (table.isThere() ? runs.find(run) : undefined),
    make(run) {
      table.make()
      return runs.make(run)
    },
  }
}

function addColumns(sql: Pick<Sql, 'run' | 'rows'>, { name, added = {} }: Table): void {
  const changes = Object.entries(added)
  if (changes.length === 0) return
  const columns = [...sql.rows<{ name: string }>('SELECT name FROM pragma_table_info(?)', name)]
  for (const [column, change] of changes) if (!columns.some((one) => one.name === column)) sql.run(change)
}
