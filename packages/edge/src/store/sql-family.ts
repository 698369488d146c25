import type { Relative, Relatives, RunId } from '@waystone/core'
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
  const rows = new Map<RunId, Relative>()
  const query = 'SELECT run, role, told FROM waystone_family'
  if (table.isThere())
    for (const row of sql.exec(query)) rows.set(row['run'] as RunId, row as unknown as Relative)
  const put = (relative: Relative): void => {
    table.make()
    const { run, role, told } = relative
    sql.exec('INSERT OR REPLACE INTO waystone_family (run, role, told) VALUES (?, ?, ?)', run, role, told)
    rows.set(run, relative)
  }
  return {
    all: () => [...rows.values()],
    get: (run) => rows.get(run),
    add(run, role) {
      if (!rows.has(run)) put({ run, role, told: '' })
    },
    tell(run, told) {
      const relative = rows.get(run)
      if (relative && relative.told !== told) put({ ...relative, told })
    },
    remove(run) {
      if (rows.delete(run)) sql.exec('DELETE FROM waystone_family WHERE run = ?', run)
    },
  }
}
