import type { Digest } from '@waystone/core'
import { firstOf, lazyTable, type Sql, type Table } from '@waystone/core/sql'

/** A blob in R2 and how many bytes it has. */
export interface LargeBlob {
  readonly hash: Digest
  readonly bytes: number
}

/** Hears of blobs that were put into R2, and of those that were removed. */
export interface BlobCount {
  add(blob: LargeBlob): void
  remove(hashes: readonly Digest[]): void
}

/** What the one run of an object has in R2, which is asked for a quota: R2 itself would have to list all of it. */
export interface SqlLargeBlobs extends BlobCount {
  has(hash: Digest): boolean
  /** All of them together, in bytes. Those that were put before they were counted are not among them. */
  bytes(): number
}

const blobsTable: Table = {
  name: 'waystone_large_blobs',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_large_blobs (hash TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID',
}

/** A row a blob. */
export function sqlLargeBlobs(sql: Sql): SqlLargeBlobs {
  const table = lazyTable(sql, blobsTable)
  return {
    add({ hash, bytes }) {
      table.make()
      // One that is put again writes no row.
      sql.run('INSERT OR IGNORE INTO waystone_large_blobs (hash, bytes) VALUES (?, ?)', hash, bytes)
    },
    remove(hashes) {
      if (!table.isThere()) return
      const query = 'DELETE FROM waystone_large_blobs WHERE hash IN (SELECT value FROM json_each(?))'
      sql.run(query, JSON.stringify(hashes))
    },
    has(hash) {
      const query = 'SELECT 1 FROM waystone_large_blobs WHERE hash = ?'
      return table.isThere() && firstOf(sql.rows(query, hash)) !== undefined
    },
    bytes() {
      if (!table.isThere()) return 0
      const query = 'SELECT coalesce(sum(bytes), 0) AS bytes FROM waystone_large_blobs'
      return firstOf(sql.rows<{ bytes: number }>(query))?.bytes ?? 0
    },
  }
}
