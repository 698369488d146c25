import type { Digest } from '@waystone/core'
import { firstOf, lazyTable, type Sql, type Table } from '@waystone/core/sql'

/** A blob in R2 and how many bytes it has. */
export interface LargeBlob {
  readonly hash: Digest
  readonly bytes: number
}

/** The name of the table. */
export const largeBlobsTableName = 'waystone_large_blobs'

/** Hears of blobs that were put into R2, and of those that were removed. */
export interface BlobCount {
  add(blob: LargeBlob): void
  remove(hashes: readonly Digest[]): void
}

/** What the one run of an object has in R2, which is asked for a quota: R2 itself would have to list all of it. */
export interface SqlLargeBlobs extends BlobCount {
  has(hash: Digest): boolean
  /** Keeps room for blobs that are on their way to R2, until they are added or `until`, in ms since 1970. */
  expect(blobs: readonly LargeBlob[], until: number): void
  /** Some of those that were expected until then: they are there and were not told of, or they never came. */
  overdue(now: number): readonly LargeBlob[]
  /** Forgets all but those that are on their way until later; until when the last of these is, in ms since 1970. */
  keepComing(now: number): number | undefined
  /** All of them together, those on their way too, in bytes. Those that were put before they were counted are not among them. */
  bytes(): number
}

/** So many are looked for in R2 at a time. */
const overdueMax = 50

const until = 'until INTEGER NOT NULL DEFAULT 0'
/** `until` is 0 of those that are there. */
const blobsTable: Table = {
  name: largeBlobsTableName,
  schema: `CREATE TABLE IF NOT EXISTS waystone_large_blobs (hash TEXT PRIMARY KEY, bytes INTEGER NOT NULL, ${until}) WITHOUT ROWID`,
  added: { until: `ALTER TABLE waystone_large_blobs ADD COLUMN ${until}` },
}

/** A row a blob. */
export function sqlLargeBlobs(sql: Sql): SqlLargeBlobs {
  const table = lazyTable(sql, blobsTable)
  // One that is there and is put again writes no row.
  const put = `INSERT INTO waystone_large_blobs (hash, bytes, until) VALUES (?, ?, ?)
    ON CONFLICT (hash) DO UPDATE SET until = excluded.until, bytes = excluded.bytes WHERE until > 0`
  return {
    add({ hash, bytes }) {
      table.make()
      sql.run(put, hash, bytes, 0)
    },
    expect(blobs, until) {
      if (blobs.length > 0) table.make()
      for (const { hash, bytes } of blobs) sql.run(put, hash, bytes, until)
    },
    overdue(now) {
      if (!table.isThere()) return []
      const query = 'SELECT hash, bytes FROM waystone_large_blobs WHERE until > 0 AND until <= ? LIMIT ?'
      return [...sql.rows<LargeBlob>(query, now, overdueMax)]
    },
    keepComing(now) {
      if (!table.isThere()) return undefined
      sql.run('DELETE FROM waystone_large_blobs WHERE until <= ?', now)
      const query = 'SELECT max(until) AS until FROM waystone_large_blobs'
      return firstOf(sql.rows<{ until: number | null }>(query))?.until ?? undefined
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
