import { parseRunId, type RunId } from '@waystone/core'
import type { Table } from '@waystone/core/sql'
import { durableTable } from './durable-sql.ts'
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
  /** Empties whatever else Waystone keeps in this object, but for these tables; what the application keeps stays. */
  clearAllElse(but?: readonly string[]): void
}

const tenant = `tenant TEXT NOT NULL DEFAULT '${onlyTenant}'`
const deleted = 'deleted INTEGER NOT NULL DEFAULT 0'
const runTable: Table = {
  name: 'waystone_run',
  schema: `CREATE TABLE IF NOT EXISTS waystone_run (one INTEGER PRIMARY KEY, id TEXT NOT NULL, ${tenant}, ${deleted})`,
  added: {
    tenant: `ALTER TABLE waystone_run ADD COLUMN ${tenant}`,
    deleted: `ALTER TABLE waystone_run ADD COLUMN ${deleted}`,
  },
}

/** Tables that stay when a run is deleted. */
const kept = ['waystone_run', 'waystone_due']

/**
 * The table with the one row that names the run of an object. It is made when a name is written down: an object that somebody
 * asked for in vain keeps nothing.
 */
export function sqlRunName(storage: DurableObjectStorage): SqlRunName {
  const { sql } = storage
  const table = durableTable(storage, runTable)
  const row = (): Row | undefined =>
    table.isThere() ? sql.exec<Row>('SELECT id, tenant, deleted FROM waystone_run').toArray()[0] : undefined
  return {
    get() {
      const found = row()
      return found && { run: parseRunId(found.id), tenant: found.tenant }
    },
    set({ run, tenant }) {
      table.make()
      sql.exec('INSERT OR IGNORE INTO waystone_run (one, id, tenant) VALUES (1, ?, ?)', run, tenant)
    },
    isDeleted: () => row()?.deleted === 1,
    markDeleted() {
      sql.exec('UPDATE waystone_run SET deleted = 1')
    },
    clearAllElse(but = []) {
      const staying = [...kept, ...but]
      storage.transactionSync(() => {
        const query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'waystone_*'"
        const tables = sql.exec<{ name: string }>(query).toArray()
        // Not dropped: a table is locked for that while a cursor is open that was not read to its end (workerd, 2026-11).
        for (const { name } of tables) if (!staying.includes(name)) sql.exec(`DELETE FROM "${name}"`)
      })
    },
  }
}

interface Row {
  readonly [column: string]: string | number
  readonly id: string
  readonly tenant: string
  readonly deleted: number
}
