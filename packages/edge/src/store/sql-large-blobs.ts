import type { Digest } from '@waystone/core'
import { hasTable } from './sql-run-name.ts'

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

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_large_blobs (hash TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
`

/** The table is made with the first of them. */
export function sqlLargeBlobs({ sql }: DurableObjectStorage): SqlLargeBlobs {
  let isThere = false
  const look = (): boolean => (isThere ||= hasTable(sql, 'waystone_large_blobs'))
  return {
    add({ hash, bytes }) {
      if (!look()) sql.exec(schema)
      // One that is put again writes no row.
      sql.exec('INSERT OR IGNORE INTO waystone_large_blobs (hash, bytes) VALUES (?, ?)', hash, bytes)
    },
    remove(hashes) {
      if (!look()) return
      const query = 'DELETE FROM waystone_large_blobs WHERE hash IN (SELECT value FROM json_each(?))'
      sql.exec(query, JSON.stringify(hashes))
    },
    has(hash) {
      const query = 'SELECT 1 FROM waystone_large_blobs WHERE hash = ?'
      return look() && sql.exec(query, hash).toArray().length > 0
    },
    bytes() {
      if (!look()) return 0
      const query = 'SELECT coalesce(sum(bytes), 0) AS bytes FROM waystone_large_blobs'
      return sql.exec<{ bytes: number }>(query).one().bytes
    },
  }
}
