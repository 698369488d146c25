import { WaystoneError } from '@waystone/core'

/** The keyrings of a tenant's people, as they were given: nothing here can open them. */
export interface SqlKeyrings {
  get(subject: string): unknown
  /** Throws `head_moved` unless it is the next version of what is here. */
  put(subject: string, keyring: { readonly version: number }): void
  clear(): void
}

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
      const query = 'INSERT OR REPLACE INTO waystone_keyrings (subject, version, keyring) VALUES (?, ?, ?)'
      sql.exec(query, subject, version, JSON.stringify(keyring))
    },
    clear: () => void sql.exec('DELETE FROM waystone_keyrings'),
  }
}
