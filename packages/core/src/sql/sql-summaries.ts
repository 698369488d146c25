import type { RunSummary } from '../ports/log-store.ts'
import type { Keys, Sql } from './sql.ts'

/** What a list shows of a run; `one` is its number. */
export const summarySchema = `
  CREATE TABLE IF NOT EXISTS waystone_summary (one INTEGER PRIMARY KEY, json TEXT NOT NULL);
`

/** Replaces what a list shows of a run. */
export function putSummary(sql: Sql, keys: Keys, summary: RunSummary): void {
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
