import type { Table } from '@waystone/core/sql'
import { durableTable } from './durable-sql.ts'

/** What a device has lent this object for its run, as it was sealed: only the edge's secret opens it. */
export interface SqlLent {
  get(): string | undefined
  set(lent: string): void
  delete(): void
}

const lentTable: Table = {
  name: 'waystone_lent',
  schema: 'CREATE TABLE IF NOT EXISTS waystone_lent (one INTEGER PRIMARY KEY, lent TEXT NOT NULL)',
}

/** The table of keys: one row at most, and none for a run that nobody lends keys of. */
export function sqlLent(storage: DurableObjectStorage): SqlLent {
  const { sql } = storage
  const table = durableTable(storage, lentTable)
  return {
    get: () =>
      table.isThere()
        ? sql.exec<{ lent: string }>('SELECT lent FROM waystone_lent').toArray()[0]?.lent
        : undefined,
    set(lent) {
      table.make()
      sql.exec('INSERT OR REPLACE INTO waystone_lent (one, lent) VALUES (1, ?)', lent)
    },
    delete() {
      if (table.isThere()) sql.exec('DELETE FROM waystone_lent')
    },
  }
}
