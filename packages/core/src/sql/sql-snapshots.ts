import type { Snapshots } from '../ports/snapshots.ts'
import { lazyTable, runsIn, type Table } from './lazy-table.ts'
import { bytesOf, firstOf, keysOf, type RunNumbers, type Sql } from './sql.ts'

/** One row a snapshot. */
export const snapshotsTable: Table = {
  name: 'waystone_snapshots',
  schema: 'CREATE TABLE IF NOT EXISTS waystone_snapshots (seq INTEGER PRIMARY KEY, line BLOB NOT NULL)',
}

/** The lines of snapshots in SQLite. */
export function sqlSnapshots(sql: Sql, numbers: RunNumbers): Snapshots {
  const runs = runsIn(lazyTable(sql, snapshotsTable), numbers)
  return {
    async put(run, seq, line) {
      sql.transaction('relaxed', () => {
        const key = keysOf(runs.make(run)).of(seq)
        sql.run('INSERT OR REPLACE INTO waystone_snapshots (seq, line) VALUES (?, ?)', key, line)
      })
    },
    async list(run) {
      const number = runs.find(run)
      if (number === undefined) return []
      const { first, last } = keysOf(number)
      const query = 'SELECT seq FROM waystone_snapshots WHERE seq BETWEEN ? AND ? ORDER BY seq'
      return [...sql.rows<{ seq: number }>(query, first, last)].map(({ seq }) => seq - first)
    },
    async get(run, seq) {
      const number = runs.find(run)
      if (number === undefined) return undefined
      const row = firstOf(
        sql.rows<{ line: Uint8Array | ArrayBuffer }>(
          'SELECT line FROM waystone_snapshots WHERE seq = ?',
          keysOf(number).of(seq),
        ),
      )
      return row && bytesOf(row.line)
    },
    async remove(run, seqs) {
      const number = runs.find(run)
      if (number === undefined) return
      sql.transaction('relaxed', () => {
        for (const seq of seqs)
          sql.run('DELETE FROM waystone_snapshots WHERE seq = ?', keysOf(number).of(seq))
      })
    },
  }
}
