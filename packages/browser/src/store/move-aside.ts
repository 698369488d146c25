import { assert, headOfLine, tailName, type Append, type RunId } from '@waystone/core'
import { coldKey, keysFrom, keysOf, type LogRecord } from './database.ts'
import { firstSeqOf, recordOf, type Inflated } from './log-record.ts'
import type { Writing } from './transact.ts'

/** How many records are read at once: few enough to hold, each being below `limits.recordBytesMax`. */
const recordsAtOnce = 32

/**
 * Moves all lines of a run from a sequence number on to the store of what was set aside, byte for byte. The record that
 * holds lines of both sides has been inflated.
 */
export async function moveAside(
  tx: Writing,
  run: RunId,
  keep: number,
  { reason, time }: Required<Append>['setAside'],
  inflated: Inflated,
): Promise<void> {
  const log = tx.objectStore('log')
  const aside = tx.objectStore('aside')
  const last = await aside.openKeyCursor(keysOf(run), 'prev')
  const order = (last?.key[1] ?? -1) + 1
  const name = tailName(keep, time)
  // What is stored in its place has not been packed yet.
  await tx.objectStore('meta').delete(coldKey(run))
  for (let part = 0; ;) {
    const range = keysFrom([run], keep)
    const [keys, records] = await Promise.all([
      log.getAllKeys(range, recordsAtOnce),
      log.getAll(range, recordsAtOnce),
    ])
    if (keys.length === 0) return
    const requests: Promise<unknown>[] = []
    for (const [index, key] of keys.entries()) {
      const record = records[index] as LogRecord
      const stays = Math.max(0, keep - firstSeqOf(run, key, record))
      const lines = stays > 0 ? inflated.linesOf(key, record) : undefined
      assert(stays === 0 || lines !== undefined, 'a record is cut that was not inflated')
      const moved = lines ? recordOf(lines.slice(stays)) : record
      requests.push(log.delete(key), aside.put({ ...moved, name, reason, time }, [run, order, part++]))
      const end = lines?.[stays - 1]
      if (lines && end)
        requests.push(log.put(recordOf(lines.slice(0, stays)), [run, keep - 1, headOfLine(end).digest]))
    }
    await Promise.all(requests)
  }
}
