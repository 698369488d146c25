import { WaystoneError } from '@waystone/core'

/** The keyrings of a tenant's people, as they were given: nothing here can open them. */
export interface SqlKeyrings {
  get(subject: string): unknown
  /** Throws `head_moved` unless it is the next version of what is here, and `request_refused` for a first one too far on. */
  put(subject: string, keyring: { readonly version: number }): void
  clear(): void
}

/**
 * Where none is kept one may begin at this version, since it may have been lost here, and no further on. Each one after it is the next, so
 * that nobody can bring it near the last number there is, after which none would be taken.
 */
const firstVersionMax = 2 ** 31

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_keyrings (subject TEXT PRIMARY KEY, version INTEGER NOT NULL, keyring TEXT NOT NULL)
    WITHOUT ROWID;
`

export function sqlKeyrings({ sql }: DurableObjectStorage): SqlKeyrings {
  sql.exec(schema)
  const row = (subject: string) =>
    sql
      .exec<{ version: number; keyring: string }>(
        'SELECT version, keyring FROM waystone_keyrings WHERE subject = ?',
        subject,
      )
      .toArray()[0]
  return {
    get: (subject) => JSON.parse(row(subject)?.keyring ?? 'null') as unknown,
    put(subject, keyring) {
      const { version } = keyring
      const before = row(subject)?.version
      if (before !== undefined && version !== before + 1) {
        throw new WaystoneError(
          'head_moved',
          `expected version ${String(before + 1)} of this keyring, found ${String(version)}: another device has changed it`,
          { actions: ['reload'] },
        )
      }
      if (before === undefined && version > firstVersionMax) {
        throw new WaystoneError(
          'request_refused',
          `expected a version from 1 to ${String(firstVersionMax)} where no keyring is kept, found ${String(version)}`,
        )
      }
      const query = 'INSERT OR REPLACE INTO waystone_keyrings (subject, version, keyring) VALUES (?, ?, ?)'
      sql.exec(query, subject, version, JSON.stringify(keyring))
    },
    clear: () => void sql.exec('DELETE FROM waystone_keyrings'),
  }
}
