import { limits, type LogStore, type RunId } from '@waystone/core'
import { appendLines, headOfKey, ownAppend } from './append-lines.ts'
import { compactLog } from './compact-log.ts'
import type { Connection } from './connection.ts'
import { keysFrom, keysOf, type LogKey, type LogRecord } from './database.ts'
import { firstSeqOf, inflated, lineBytes, linesOf } from './log-record.ts'
import { read, type Reading } from './transact.ts'

/** How many records are read at once, each being below `limits.recordBytesMax`: more when they turn out to be small. */
const recordsMin = 64
const recordsMax = 1_024

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
        const appended = await appending
        if (appended.ok) connection.watch.worked({ stored: true })
        return appended
      } finally {
        if (tails.get(run) === tail) tails.delete(run)
      }
    },
    async read(run, from, count = Infinity) {
      const records = await connection.use((db) =>
        read(db, ['log'], (tx) => readRecords(tx, run, from, count)),
      )
      return (await pageOf(run, from, records)).slice(0, count)
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
    compact(run, compaction) {
      return compactLog(connection, run, compaction)
    },
    close() {
      return connection.close()
    },
  }
}

/** The records of a page, as they are stored. */
async function readRecords(
  tx: Reading,
  run: RunId,
  from: number,
  count: number,
): Promise<readonly (readonly [LogKey, LogRecord])[]> {
  const log = tx.objectStore('log')
  const found: (readonly [LogKey, LogRecord])[] = []
  let bytes = 0
  let atOnce = Math.min(count, recordsMin)
  for (let next = from; ;) {
    const range = keysFrom([run], next)
    const [keys, records] = await Promise.all([log.getAllKeys(range, atOnce), log.getAll(range, atOnce)])
    for (const [index, record] of records.entries()) {
      const key = keys[index] as LogKey
      // The first may hold lines of before the page.
      if (found.length > 0) bytes += lineBytes(record)
      found.push([key, record])
      if (bytes >= limits.pageBytesMax) return found
      next = key[1] + 1
    }
    // Every record holds at least one line.
    if (records.length < atOnce || found.length >= count) return found
    const left = ((limits.pageBytesMax - bytes) * found.length) / (bytes + 1)
    atOnce = Math.min(Math.max(recordsMin, Math.ceil(left)), recordsMax)
  }
}

async function pageOf(
  run: RunId,
  from: number,
  records: readonly (readonly [LogKey, LogRecord])[],
): Promise<readonly Uint8Array[]> {
  const page: Uint8Array[] = []
  let bytes = 0
  for (const [key, record] of records) {
    const lines = linesOf(run, record.deflated ? await inflated(run, record) : record)
    for (const line of lines.slice(Math.max(0, from - firstSeqOf(run, key, record)))) {
      page.push(line)
      bytes += line.byteLength
      if (bytes >= limits.pageBytesMax) return page
    }
  }
  return page
}
