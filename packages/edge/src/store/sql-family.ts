import { keptRelatives, type Relative, type Relatives } from '@waystone/core'
import type { Table } from '@waystone/core/sql'
import { durableTable } from './durable-sql.ts'

/** The name of the table. */
export const familyTableName = 'waystone_family'

const familyTable: Table = {
  name: familyTableName,
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_family (run TEXT PRIMARY KEY, role TEXT NOT NULL, told TEXT NOT NULL) WITHOUT ROWID',
}

/** The table of relatives, and what it holds: most runs have none. */
export function sqlFamily(storage: DurableObjectStorage): Relatives {
  const { sql } = storage
  const table = durableTable(storage, familyTable)
  const query = 'SELECT run, role, told FROM waystone_family'
  const stored = table.isThere() ? sql.exec(query).toArray() : []
  return keptRelatives(stored as unknown as readonly Relative[], {
    put({ run, role, told }) {
      table.make()
      sql.exec('INSERT OR REPLACE INTO waystone_family (run, role, told) VALUES (?, ?, ?)', run, role, told)
    },
    remove: (run) => void sql.exec('DELETE FROM waystone_family WHERE run = ?', run),
  })
}
