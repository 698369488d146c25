import type { Stalls } from '@waystone/core'

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_stalls (one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, count INTEGER NOT NULL);
`

/** Stored, since what is counted ends the process. */
export function sqlStalls({ sql }: DurableObjectStorage): Stalls {
  sql.exec(schema)
  return {
    count: (seq) => {
      const [before] = sql
        .exec<{ seq: number; count: number }>('SELECT seq, count FROM waystone_stalls')
        .toArray()
      const count = before?.seq === seq ? before.count + 1 : 1
      sql.exec('INSERT OR REPLACE INTO waystone_stalls (one, seq, count) VALUES (1, ?, ?)', seq, count)
      return count
    },
    clear: () => {
      sql.exec('DELETE FROM waystone_stalls')
    },
  }
}
