import { headOfLine, type Append, type RunId, type SetAside } from '@waystone/core'
import { keysFrom, keysOf, linesOf, recordOf, type LogKey, type LogRecord } from './database.ts'
import type { Reading, Writing } from './transact.ts'

/** How many records are read at once: few enough to hold, each being below `limits.recordBytesMax`. */
const recordsAtOnce = 32

/** Moves all lines of a run from a sequence number on to the store of what was set aside, byte for byte. */
export async function moveAside(
  tx: Writing,
  run: RunId,
  keep: number,
  { reason, time }: Required<Append>['setAside'],
): Promise<void> {
  const log = tx.objectStore('log')
  const aside = tx.objectStore('aside')
  const last = await aside.openKeyCursor(keysOf(run), 'prev')
  const order = (last?.key[1] ?? -1) + 1
  const name = `${String(keep)}-${String(time)}`
  for (let part = 0; ;) {
    const range = keysFrom([run], keep)
    const [keys, records] = await Promise.all([
      log.getAllKeys(range, recordsAtOnce),
      log.getAll(range, recordsAtOnce),
    ])
    if (keys.length === 0) return
    const requests: Promise<unknown>[] = []
    for (const [index, key] of keys.entries()) {
      const { kept, moved } = splitAt(run, key, records[index] as LogRecord, keep)
      requests.push(
        log.delete(key),
        aside.put({ ...recordOf(moved), name, reason, time }, [run, order, part++]),
      )
      const end = kept.at(-1)
      if (end) requests.push(log.put(recordOf(kept), [run, keep - 1, headOfLine(end).digest]))
    }
    await Promise.all(requests)
  }
}

/** What was set aside of a run, oldest first. */
export async function readAside(tx: Reading, run: RunId): Promise<readonly SetAside[]> {
  const tails: (Omit<SetAside, 'lines'> & { readonly order: number; readonly lines: Uint8Array[] })[] = []
  for (
    let cursor = await tx.objectStore('aside').openCursor(keysOf(run));
    cursor;
    cursor = await cursor.continue()
  ) {
    const { name, reason, time } = cursor.value
    const order = cursor.key[1]
    if (tails.at(-1)?.order !== order) tails.push({ order, name, reason, time, lines: [] })
    tails.at(-1)?.lines.push(...linesOf(run, cursor.value))
  }
  return tails.map(({ name, reason, time, lines }) => ({ name, reason, time, lines }))
}

function splitAt(
  run: RunId,
  [, to]: LogKey,
  record: LogRecord,
  keep: number,
): Record<'kept' | 'moved', readonly Uint8Array[]> {
  const lines = linesOf(run, record)
  const count = Math.max(0, keep - (to - lines.length + 1))
  return { kept: lines.slice(0, count), moved: lines.slice(count) }
}
