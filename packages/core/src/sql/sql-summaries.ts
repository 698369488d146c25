import type { RunSummary } from '../ports/log-store.ts'
import { lazyTable, type Table } from './lazy-table.ts'
import type { Keys, Sql } from './sql.ts'

/** What a list shows of a run; `one` is its number. */
export const summaryTable: Table = {
  name: 'waystone_summary',
  schema: 'CREATE TABLE IF NOT EXISTS waystone_summary (one INTEGER PRIMARY KEY, json TEXT NOT NULL)',
}

/** Replaces what a list shows of a run. */
export function putSummary(sql: Sql, keys: Keys, summary: RunSummary): void {
  lazyTable(sql, summaryTable).make()
  sql.run(
    'INSERT OR REPLACE INTO waystone_summary (one, json) VALUES (?, ?)',
    keys.run,
    JSON.stringify(summary),
  )
}

/** Summaries as rows have them. */
export function summariesIn(rows: Iterable<{ readonly json: string }>): readonly RunSummary[] {
  return [...rows].map(({ json }) => JSON.parse(json) as RunSummary)
}
