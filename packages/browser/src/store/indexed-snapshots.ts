import type { Snapshots } from '@waystone/core'
import type { Connection } from './connection.ts'
import { keysOf } from './database.ts'
import { read, write } from './transact.ts'

/** The lines of snapshots in IndexedDB. */
export function indexedSnapshots(connection: Connection): Snapshots {
  return {
    async put(run, seq, line) {
      const { buffer } = new Uint8Array(line)
      await connection.use((db) =>
        write(db, ['snapshots'], 'relaxed', (tx) => tx.objectStore('snapshots').put(buffer, [run, seq])),
      )
    },
    async list(run) {
      const keys = await connection.use((db) =>
        read(db, ['snapshots'], (tx) => tx.objectStore('snapshots').getAllKeys(keysOf(run))),
      )
      return keys.map(([, seq]) => seq)
    },
    async get(run, seq) {
      const buffer = await connection.use((db) =>
        read(db, ['snapshots'], (tx) => tx.objectStore('snapshots').get([run, seq])),
      )
      return buffer && new Uint8Array(buffer)
    },
    async remove(run, seqs) {
      await connection.use((db) =>
        write(db, ['snapshots'], 'relaxed', async (tx) => {
          await Promise.all(seqs.map((seq) => tx.objectStore('snapshots').delete([run, seq])))
        }),
      )
    },
  }
}
