import type { RunId, SetAside, Tails } from '@waystone/core'
import type { Connection } from './connection.ts'
import { keysOf, type AsideRecord } from './database.ts'
import { inflated, linesOf } from './log-record.ts'
import { read, write, type Reading } from './transact.ts'

/** What appends have set aside, in IndexedDB: a tail is some records that follow each other. */
export function indexedTails(connection: Connection): Tails {
  return {
    async list(run) {
      const parts = await connection.use((db) => read(db, ['aside'], (tx) => readParts(tx, run)))
      const tails: (Omit<SetAside, 'lines'> & { readonly order: number; readonly lines: Uint8Array[] })[] = []
      for (const { order, record } of parts) {
        const { name, reason, time } = record
        if (tails.at(-1)?.order !== order) tails.push({ order, name, reason, time, lines: [] })
        tails.at(-1)?.lines.push(...linesOf(run, await inflated(run, record)))
      }
      return tails.map(({ name, reason, time, lines }) => ({ name, reason, time, lines }))
    },
    async drop(run, name) {
      await connection.use((db) =>
        write(db, ['aside'], 'relaxed', async (tx) => {
          let cursor = await tx.objectStore('aside').openCursor(keysOf(run))
          while (cursor) {
            if (cursor.value.name === name) await cursor.delete()
            cursor = await cursor.continue()
          }
        }),
      )
    },
  }
}

async function readParts(
  tx: Reading,
  run: RunId,
): Promise<readonly { readonly order: number; readonly record: AsideRecord }[]> {
  const parts: { readonly order: number; readonly record: AsideRecord }[] = []
  let cursor = await tx.objectStore('aside').openCursor(keysOf(run))
  while (cursor) {
    parts.push({ order: cursor.key[1], record: cursor.value })
    cursor = await cursor.continue()
  }
  return parts
}
