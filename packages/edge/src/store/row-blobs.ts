import { deflate, inflate, type Digest } from '@waystone/core'
import { bytesOf, firstOf, lazyTable, type Sql, type Table } from '@waystone/core/sql'

/** A blob of at most this many bytes is a row of its object: R2 asks more for keeping track of it than for keeping it. */
export const rowBlobBytesMax = 64 * 1024 - 1

/** One that is put again is as new: written down once a day. In ms. */
const newMs = 24 * 60 * 60_000

const time = 'time INTEGER NOT NULL DEFAULT 0'
/** `time` is when it was put; 0 of those from before it was written down. */
const blobsTable: Table = {
  name: 'waystone_blobs',
  schema: `CREATE TABLE IF NOT EXISTS waystone_blobs (hash TEXT PRIMARY KEY, deflated INTEGER NOT NULL, bytes BLOB NOT NULL, ${time}) WITHOUT ROWID`,
  added: { time: `ALTER TABLE waystone_blobs ADD COLUMN ${time}` },
}

/** The small blobs of the one run that lives in an object. */
export interface RowBlobs {
  put(hash: Digest, bytes: Uint8Array, cold: boolean): Promise<void>
  get(hash: Digest): Promise<Uint8Array | undefined>
  /** Those of the hashes that are no rows, in order. */
  missing(hashes: readonly Digest[]): readonly Digest[]
  remove(hashes: readonly Digest[]): void
  /** Some of them, in the order of their hashes. */
  list(after: string, count: number): readonly Digest[]
  /** Some that were put before a time, in ms since 1970, and when the first of the others was. What has no time counts from now on. */
  old(before: number, count: number): { readonly old: readonly Digest[]; readonly next: number | undefined }
}

/** Blobs as rows: writing or removing one is one row that is billed. */
export function rowBlobs(sql: Sql): RowBlobs {
  const table = lazyTable(sql, blobsTable)
  const has = (hash: Digest): boolean =>
    table.isThere() && firstOf(sql.rows('SELECT 1 FROM waystone_blobs WHERE hash = ?', hash)) !== undefined
  return {
    async put(hash, bytes, cold) {
      if (has(hash)) {
        const now = Date.now()
        sql.run('UPDATE waystone_blobs SET time = ? WHERE hash = ? AND time < ?', now, hash, now - newMs)
        return
      }
      const small = cold ? await deflate(bytes.slice()) : undefined
      table.make()
      sql.run(
        'INSERT OR IGNORE INTO waystone_blobs (hash, deflated, bytes, time) VALUES (?, ?, ?, ?)',
        hash,
        small ? 1 : 0,
        small ?? bytes,
        Date.now(),
      )
    },
    async get(hash) {
      if (!table.isThere()) return undefined
      const query = 'SELECT deflated, bytes FROM waystone_blobs WHERE hash = ?'
      const row = firstOf(sql.rows<{ deflated: number; bytes: ArrayBuffer }>(query, hash))
      if (row === undefined) return undefined
      return row.deflated ? inflate(bytesOf(row.bytes)) : bytesOf(row.bytes)
    },
    missing(hashes) {
      if (!table.isThere()) return hashes
      // One statement whatever their number: an object may bind 100 parameters.
      const query = 'SELECT hash FROM waystone_blobs WHERE hash IN (SELECT value FROM json_each(?))'
      const rows = sql.rows<{ hash: string }>(query, JSON.stringify(hashes))
      const found = new Set<string>([...rows].map(({ hash }) => hash))
      return hashes.filter((hash) => !found.has(hash))
    },
    list(after, count) {
      if (!table.isThere()) return []
      const query = 'SELECT hash FROM waystone_blobs WHERE hash > ? ORDER BY hash LIMIT ?'
      return [...sql.rows<{ hash: Digest }>(query, after, count)].map(({ hash }) => hash)
    },
    old(before, count) {
      if (!table.isThere()) return { old: [], next: undefined }
      sql.run('UPDATE waystone_blobs SET time = ? WHERE time = 0', Date.now())
      const query = 'SELECT hash FROM waystone_blobs WHERE time <= ? LIMIT ?'
      const others = 'SELECT min(time) AS time FROM waystone_blobs WHERE time > ?'
      return {
        old: [...sql.rows<{ hash: Digest }>(query, before, count)].map(({ hash }) => hash),
        next: firstOf(sql.rows<{ time: number | null }>(others, before))?.time ?? undefined,
      }
    },
    remove(hashes) {
      if (!table.isThere()) return
      const query = 'DELETE FROM waystone_blobs WHERE hash IN (SELECT value FROM json_each(?))'
      sql.run(query, JSON.stringify(hashes))
    },
  }
}
