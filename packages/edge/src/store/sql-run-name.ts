import { parseRunId, type RunId } from '@waystone/core'
import { onlyTenant } from './tenant-names.ts'

/** Which run an object has. */
export interface RunName {
  readonly run: RunId
  readonly tenant: string
}

/** True when both name one run of one tenant. */
export function isSame(one: RunName, other: RunName): boolean {
  return one.run === other.run && one.tenant === other.tenant
}

/** What an object knows of itself: an alarm wakes it without its name. */
export interface SqlRunName {
  get(): RunName | undefined
  /** Writes the name down, once. */
  set(name: RunName): void
  /** True from when its run was deleted, and ever after: no device brings it back by pushing what it has. */
  isDeleted(): boolean
  markDeleted(): void
  /** Empties whatever else Waystone keeps in this object; what the application keeps stays. */
  clearAllElse(): void
}

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_run (one INTEGER PRIMARY KEY, id TEXT NOT NULL);
`

/** Columns that later versions have added to the table. */
const added = {
  tenant: `ALTER TABLE waystone_run ADD COLUMN tenant TEXT NOT NULL DEFAULT '${onlyTenant}'`,
  deleted: 'ALTER TABLE waystone_run ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0',
}

/** Tables that stay when a run is deleted. */
const kept = ['waystone_run', 'waystone_due']

/**
 * The table with the one row that names the run of an object. It is made when a name is written down: an object that somebody
 * asked for in vain keeps nothing.
 */
export function sqlRunName(storage: DurableObjectStorage): SqlRunName {
  const { sql } = storage
  /** Looked up once it is there, since tables stay. */
  let isThere = false
  const look = (): boolean => {
    isThere ||= hasTable(sql, 'waystone_run')
    if (isThere && !isCurrent) upgrade()
    return isThere
  }
  let isCurrent = false
  const upgrade = (): void => {
    const query = "SELECT name FROM pragma_table_info('waystone_run')"
    const columns = sql.exec<{ name: string }>(query).toArray()
    for (const [name, change] of Object.entries(added))
      if (!columns.some((column) => column.name === name)) sql.exec(change)
    isCurrent = true
  }
  const row = (): Row | undefined =>
    look() ? sql.exec<Row>('SELECT id, tenant, deleted FROM waystone_run').toArray()[0] : undefined
  return {
    get() {
      const found = row()
      return found && { run: parseRunId(found.id), tenant: found.tenant }
    },
    set({ run, tenant }) {
      sql.exec(schema)
      look()
      sql.exec('INSERT OR IGNORE INTO waystone_run (one, id, tenant) VALUES (1, ?, ?)', run, tenant)
    },
    isDeleted: () => row()?.deleted === 1,
    markDeleted() {
      sql.exec('UPDATE waystone_run SET deleted = 1')
    },
    clearAllElse() {
      storage.transactionSync(() => {
        const query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'waystone_*'"
        const tables = sql.exec<{ name: string }>(query).toArray()
        // Not dropped: a table is locked for that while a cursor is open that was not read to its end (workerd, 2026-11).
        for (const { name } of tables) if (!kept.includes(name)) sql.exec(`DELETE FROM "${name}"`)
      })
    },
  }
}

/** True when an object has a table. */
export function hasTable(sql: SqlStorage, name: string): boolean {
  return sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name).toArray().length > 0
}

interface Row {
  readonly [column: string]: string | number
  readonly id: string
  readonly tenant: string
  readonly deleted: number
}
