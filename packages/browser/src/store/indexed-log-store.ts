import { limits, type LogStore, type RunId } from '@waystone/core'
import { appendLines, headOfKey, ownAppend } from './append-lines.ts'
import type { Connection } from './connection.ts'
import { keysFrom, keysOf, linesOf } from './database.ts'
import { readAside } from './move-aside.ts'
import { read, type Reading } from './transact.ts'

/** How many records are read at once: few enough to hold, each being below `limits.recordBytesMax`. */
const recordsAtOnce = 64

/**
 * Logs in IndexedDB: an append is one transaction that puts one record, or a few when its lines are large. `close`
 * closes the connection.
 */
export function indexedLogStore(connection: Connection): LogStore {
  const tails = new Map<RunId, Promise<unknown>>()
  return {
    async append(run, append) {
      const own = ownAppend(run, append)
      const appending = connection.use((db) => appendLines(db, run, own), tails.get(run))
      const tail = appending.catch(() => undefined)
      tails.set(run, tail)
      try {
        return await appending
      } finally {
        if (tails.get(run) === tail) tails.delete(run)
      }
    },
    read(run, from) {
      return connection.use((db) => read(db, ['log'], (tx) => readPage(tx, run, from)))
    },
    head(run) {
      return connection.use((db) =>
        read(db, ['log'], async (tx) =>
          headOfKey((await tx.objectStore('log').openKeyCursor(keysOf(run), 'prev'))?.key),
        ),
      )
    },
    list(after) {
      const range = after === undefined ? undefined : IDBKeyRange.lowerBound(after, true)
      return connection.use((db) =>
        read(db, ['runs'], (tx) => tx.objectStore('runs').getAll(range, limits.listRunsMax)),
      )
    },
    setAside(run) {
      return connection.use((db) => read(db, ['aside'], (tx) => readAside(tx, run)))
    },
    close() {
      return connection.close()
    },
  }
}

async function readPage(tx: Reading, run: RunId, from: number): Promise<readonly Uint8Array[]> {
  const log = tx.objectStore('log')
  const page: Uint8Array[] = []
  let bytes = 0
  for (let next = from; ;) {
    const range = keysFrom([run], next)
    const [keys, records] = await Promise.all([
      log.getAllKeys(range, recordsAtOnce),
      log.getAll(range, recordsAtOnce),
    ])
    for (const [index, record] of records.entries()) {
      const to = keys[index]?.[1] ?? next
      // Only the first record can begin before the line that is asked for.
      const lines = linesOf(run, record)
      for (const line of lines.slice(Math.max(0, next - (to - lines.length + 1)))) {
        page.push(line)
        bytes += line.byteLength
        if (bytes >= limits.pageBytesMax) return page
      }
      next = to + 1
    }
    if (records.length < recordsAtOnce) return page
  }
}
