import { checkBlobSize, deflate, inflate, type Blobs, type Digest, type RunId } from '@waystone/core'
import { bytesOf, firstOf, type RunNumbers, type Sql } from '@waystone/core/sql'

const tables = [
  'CREATE TABLE IF NOT EXISTS waystone_blobs (number INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, deflated INTEGER NOT NULL, bytes BLOB NOT NULL)',
  'CREATE TABLE IF NOT EXISTS waystone_refs (blob INTEGER NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (blob, run)) WITHOUT ROWID',
]

/** Blobs in SQLite: equal bytes are stored once, and go with the last run that has them. */
export function sqliteBlobs(sql: Sql, runs: RunNumbers): Blobs {
  for (const table of tables) sql.run(table)
  /** The number of a blob that a run has. */
  const numberOf = (run: RunId, hash: Digest): number | undefined => {
    const query =
      'SELECT b.number FROM waystone_blobs b JOIN waystone_refs r ON r.blob = b.number WHERE b.hash = ? AND r.run = ?'
    return firstOf(sql.rows<{ number: number }>(query, hash, runs.find(run) ?? null))?.number
  }
  const give = (run: RunId, blob: number): void =>
    sql.run('INSERT OR IGNORE INTO waystone_refs (blob, run) VALUES (?, ?)', blob, runs.make(run))

  return {
    async put(run, hash, bytes, { cold = false } = {}) {
      checkBlobSize(run, bytes)
      const small = cold ? await deflate(bytes.slice()) : undefined
      // Strict, because a strict entry may name it; the entry's own transaction makes a cold one durable.
      sql.transaction(cold ? 'relaxed' : 'strict', () => {
        sql.run(
          'INSERT OR IGNORE INTO waystone_blobs (hash, deflated, bytes) VALUES (?, ?, ?)',
          hash,
          small ? 1 : 0,
          small ?? bytes,
        )
        const row = firstOf(
          sql.rows<{ number: number }>('SELECT number FROM waystone_blobs WHERE hash = ?', hash),
        )
        if (row) give(run, row.number)
      })
    },
    async get(run, hash) {
      const query = `SELECT b.deflated, b.bytes FROM waystone_blobs b JOIN waystone_refs r ON r.blob = b.number
        WHERE b.hash = ? AND r.run = ?`
      const row = firstOf(
        sql.rows<{ deflated: number; bytes: Uint8Array }>(query, hash, runs.find(run) ?? null),
      )
      if (row === undefined) return undefined
      return row.deflated ? inflate(row.bytes) : bytesOf(row.bytes)
    },
    async missing(run, hashes) {
      return hashes.filter((hash) => numberOf(run, hash) === undefined)
    },
    async share(from, to, hashes) {
      return sql.transaction('relaxed', () =>
        hashes.filter((hash) => {
          const blob = numberOf(from, hash)
          if (blob !== undefined) give(to, blob)
          return blob === undefined && numberOf(to, hash) === undefined
        }),
      )
    },
    async remove(run, hashes) {
      sql.transaction('relaxed', () => {
        for (const hash of hashes) {
          const blob = numberOf(run, hash)
          if (blob === undefined) continue
          sql.run('DELETE FROM waystone_refs WHERE blob = ? AND run = ?', blob, runs.find(run) ?? null)
          sql.run(
            'DELETE FROM waystone_blobs WHERE number = ? AND NOT EXISTS (SELECT 1 FROM waystone_refs WHERE blob = ?)',
            blob,
            blob,
          )
        }
      })
    },
  }
}
