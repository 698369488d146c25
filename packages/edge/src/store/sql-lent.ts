import { hasTable } from './sql-run-name.ts'

/** What a device has lent this object for its run, as it was sealed: only the edge's secret opens it. */
export interface SqlLent {
  get(): string | undefined
  set(lent: string): void
  delete(): void
}

/** The table is made with the first row: a run that nobody lends keys of has none. */
export function sqlLent({ sql }: DurableObjectStorage): SqlLent {
  const isThere = (): boolean => hasTable(sql, 'waystone_lent')
  return {
    get: () =>
      isThere() ? sql.exec<{ lent: string }>('SELECT lent FROM waystone_lent').toArray()[0]?.lent : undefined,
    set(lent) {
      sql.exec('CREATE TABLE IF NOT EXISTS waystone_lent (one INTEGER PRIMARY KEY, lent TEXT NOT NULL)')
      sql.exec('INSERT OR REPLACE INTO waystone_lent (one, lent) VALUES (1, ?)', lent)
    },
    delete() {
      if (isThere()) sql.exec('DELETE FROM waystone_lent')
    },
  }
}
