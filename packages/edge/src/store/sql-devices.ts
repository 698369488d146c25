import { edgeOwner, type OwnerId } from '@waystone/core'
import type { Table } from '@waystone/core/sql'
import type { Asking } from '../access/asking.ts'
import { durableTable } from './durable-sql.ts'

/** Which subject each device belongs to, in the run of an object. */
export interface SqlDevices {
  /** True when who asks may write as this device: it is nobody else's, and not the edge itself. Without a subject every device is anybody's. */
  allow(device: OwnerId, asking: Asking): boolean
  /** The device belongs to who asks from now on, unless it is another's. True when it is so from now on. */
  bind(device: OwnerId, asking: Asking): boolean
}

const devicesTable: Table = {
  name: 'waystone_devices',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_devices (device TEXT PRIMARY KEY, subject TEXT NOT NULL) WITHOUT ROWID',
}

/** The table of devices: ids of devices are no secrets, since the entries of a run name them. */
export function sqlDevices(storage: DurableObjectStorage): SqlDevices {
  const { sql } = storage
  const table = durableTable(storage, devicesTable)
  return {
    allow(device, { operations, subject }) {
      if (device === edgeOwner) return false
      if (!operations.includes('append') && !operations.includes('claim')) return false
      if (subject === undefined || !table.isThere()) return true
      const query = 'SELECT subject FROM waystone_devices WHERE device = ?'
      const [row] = sql.exec<{ subject: string }>(query, device).toArray()
      return row === undefined || row.subject === subject
    },
    bind(device, { subject }) {
      if (subject === undefined) return false
      table.make()
      const query = 'INSERT OR IGNORE INTO waystone_devices (device, subject) VALUES (?, ?) RETURNING device'
      return sql.exec(query, device, subject).toArray().length > 0
    },
  }
}
