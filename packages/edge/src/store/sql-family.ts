import type { RunId } from '@waystone/core'
import type { Table } from '@waystone/core/sql'
import { durableTable } from './durable-sql.ts'

/** Another run that the run of an object has to do with. */
export interface Relative {
  readonly run: RunId
  /** A child is one that was started and not joined. */
  readonly role: 'parent' | 'child'
  /** What it was told last; empty for nothing. */
  readonly told: string
}

/** The parent and the children of the run of an object, as far as they may have to be told something. */
export interface SqlFamily {
  all(): readonly Relative[]
  get(run: RunId): Relative | undefined
  /** One that is there stays as it is. */
  add(run: RunId, role: Relative['role']): void
  tell(run: RunId, told: string): void
  remove(run: RunId): void
}

/** The name of the table. */
export const familyTableName = 'waystone_family'

const familyTable: Table = {
  name: familyTableName,
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_family (run TEXT PRIMARY KEY, role TEXT NOT NULL, told TEXT NOT NULL) WITHOUT ROWID',
}

/** The table of relatives, and what it holds: most runs have none. */
export function sqlFamily(storage: DurableObjectStorage): SqlFamily {
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
