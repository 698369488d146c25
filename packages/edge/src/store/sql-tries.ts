import type { TryCounts } from '@waystone/core'
import type { Table } from '@waystone/core/sql'
import { durableTable } from './durable-sql.ts'

const triesTable: Table = {
  name: 'waystone_tries',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_tries (one INTEGER PRIMARY KEY, turn TEXT NOT NULL, tries TEXT NOT NULL)',
}

/** The counts of the turn that was set last: one row at most, and none for a run whose steps end at their first tries. */
export function sqlTries(storage: DurableObjectStorage): TryCounts {
  const { sql } = storage
  const table = durableTable(storage, triesTable)
  return {
    get(turn) {
      if (!table.isThere()) return {}
      const query = 'SELECT tries FROM waystone_tries WHERE turn = ?'
      const [row] = sql.exec<{ tries: string }>(query, turn).toArray()
      return row === undefined ? {} : (JSON.parse(row.tries) as Readonly<Record<string, number>>)
    },
    set(turn, tries) {
      table.make()
      const query = 'INSERT OR REPLACE INTO waystone_tries (one, turn, tries) VALUES (1, ?, ?)'
      sql.exec(query, turn, JSON.stringify(tries))
    },
  }
}
