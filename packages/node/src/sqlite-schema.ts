import { WaystoneError, type RunId } from '@waystone/core'
import { firstOf, type RunNumbers, type Sql } from '@waystone/core/sql'

/** The number of the layout of tables. 1: the first. */
const schemaVersion = 1

const tables = [
  'CREATE TABLE IF NOT EXISTS waystone_schema (one INTEGER PRIMARY KEY, version INTEGER NOT NULL)',
  'CREATE TABLE IF NOT EXISTS waystone_runs (number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE)',
]

/** Makes the tables that say what the file is. Throws `format_newer` for one that a later Waystone has written. */
export function prepareSchema(sql: Sql, path: string): void {
  for (const table of tables) sql.run(table)
  sql.run('INSERT OR IGNORE INTO waystone_schema (one, version) VALUES (1, ?)', schemaVersion)
  const row = firstOf(sql.rows<{ version: number }>('SELECT version FROM waystone_schema'))
  if (row === undefined || row.version > schemaVersion) {
    throw new WaystoneError(
      'format_newer',
      `${path} has tables of version ${String(row?.version)}, this Waystone reads up to ${String(schemaVersion)}: update Waystone here`,
      { actions: ['reload'] },
    )
  }
}

/** Runs get their numbers in the order in which they come. */
export function storedRuns(sql: Sql): RunNumbers {
  const find = (run: RunId): number | undefined =>
    firstOf(sql.rows<{ number: number }>('SELECT number FROM waystone_runs WHERE run = ?', run))?.number
  return {
    find,
    make(run) {
      const known = find(run)
      if (known !== undefined) return known
      sql.run('INSERT INTO waystone_runs (run) VALUES (?)', run)
      return find(run) as number
    },
  }
}
