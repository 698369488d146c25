import { deflate, type Compaction, type Head, type RunId } from '@waystone/core'
import type { Connection } from './connection.ts'
import { coldKey, keysFrom, keysOf, type LogKey, type LogRecord } from './database.ts'
import { fitsRecord, firstSeqOf, lineBytes } from './log-record.ts'
import { read, write, type Reading, type Writing } from './transact.ts'

/** Records that are let go in one transaction, so that it is short. */
const forgottenAtOnce = 256
/** Records that are read at once. */
const readAtOnce = 32
/** Records are packed together as long as their lines have this many bytes; deflated they mostly fit one record. */
const groupBytesMax = 200_000
/** Fewer bytes than this are not worth a transaction. */
const groupBytesMin = 4_000

/** A record of the log and its key. */
interface Stored {
  readonly key: LogKey
  readonly record: LogRecord
}

/** Lets records go and packs others. Every transaction is short and leaves a whole log. False when it ends otherwise than the compaction says. */
export async function compactLog(
  connection: Connection,
  run: RunId,
  { forget, cold, head }: Compaction,
): Promise<boolean> {
  const writing = <T>(work: (tx: Writing) => Promise<T>): Promise<T> =>
    connection.use((db) => write(db, ['log', 'meta'], 'relaxed', work))
  for (;;) {
    const forgot = await writing((tx) => forgetSome(tx, run, forget, head))
    if (forgot === undefined) return false
    if (!forgot) break
  }
  const begin = await connection.use((db) =>
    read(db, ['meta'], (tx) => tx.objectStore('meta').get(coldKey(run))),
  )
  let next = Number(begin ?? 0)
  for (;;) {
    const group = await connection.use((db) => read(db, ['log'], (tx) => nextGroup(tx, run, next, cold)))
    const last = group.at(-1)
    if (last === undefined) break
    await packGroup(writing, run, group)
    next = last.key[1] + 1
  }
  if (next > Number(begin ?? 0)) await writing((tx) => keepProgress(tx, run, next))
  return true
}

/**
 * Lets the oldest records go; true when there may be more, undefined when the log does not end with `end`. The record of the head and
 * that of `forget` stay.
 */
async function forgetSome(
  tx: Writing,
  run: RunId,
  forget: number,
  end: Head | undefined,
): Promise<boolean | undefined> {
  const log = tx.objectStore('log')
  const [keys, head] = await Promise.all([
    log.getAllKeys(keysOf(run), forgottenAtOnce),
    log.openKeyCursor(keysOf(run), 'prev'),
  ])
  if (end && head?.key[2] !== end.digest) return undefined
  const gone = keys.filter(([, to]) => to < forget && to !== head?.key[1])
  const [first] = gone
  const last = gone.at(-1)
  if (first === undefined || last === undefined) return false
  await log.delete(IDBKeyRange.bound(first, last))
  return gone.length === forgottenAtOnce
}

/** The next records to be packed together: before `cold`, before the head, and not deflated but for one by itself. */
async function nextGroup(tx: Reading, run: RunId, from: number, cold: number): Promise<readonly Stored[]> {
  const log = tx.objectStore('log')
  const head = await log.openKeyCursor(keysOf(run), 'prev')
  const end = Math.min(cold, head?.key[1] ?? 0)
  const group: Stored[] = []
  let bytes = 0
  for (let next = from; next < end;) {
    const range = keysFrom([run], next)
    const [keys, records] = await Promise.all([
      log.getAllKeys(range, readAtOnce),
      log.getAll(range, readAtOnce),
    ])
    for (const [index, key] of keys.entries()) {
      const record = records[index] as LogRecord
      bytes += lineBytes(record)
      const isFull = group.length > 0 && (record.deflated !== undefined || bytes > groupBytesMax)
      if (key[1] >= end || isFull) return group
      group.push({ key, record })
      if (record.deflated) return group
      next = key[1] + 1
    }
    if (keys.length === 0) break
  }
  return group
}

/** Packs records into one, or into a few when they stay large, if nobody has changed them when that is done. */
async function packGroup(
  writing: <T>(work: (tx: Writing) => Promise<T>) => Promise<T>,
  run: RunId,
  group: readonly Stored[],
): Promise<void> {
  const whole = joined(group)
  if (group.some(({ record }) => record.deflated) || lineBytes(whole) < groupBytesMin) return
  // Compressing takes milliseconds, in which no transaction is open.
  const small = await deflate(new Uint8Array(whole.bytes))
  if (small === undefined) return
  if (!fitsRecord(small.byteLength, whole.ends.length)) {
    if (group.length === 1) return
    const half = Math.ceil(group.length / 2)
    await packGroup(writing, run, group.slice(0, half))
    return packGroup(writing, run, group.slice(half))
  }
  await writing((tx) => swap(tx, run, group, { ends: whole.ends, bytes: small.buffer, deflated: true }))
}

async function swap(tx: Writing, run: RunId, group: readonly Stored[], packed: LogRecord): Promise<void> {
  const [first] = group
  const last = group.at(-1)
  if (first === undefined || last === undefined) return
  const log = tx.objectStore('log')
  const range = IDBKeyRange.bound(first.key, last.key)
  const [keys, record] = await Promise.all([log.getAllKeys(range), log.get(first.key)])
  // Their digests say that the last lines are the same, their numbers where the others begin; the first says that itself.
  const isSame =
    record !== undefined &&
    !record.deflated &&
    firstSeqOf(run, first.key, record) === firstSeqOf(run, first.key, first.record) &&
    keys.length === group.length &&
    keys.every(([, , digest], index) => digest === group[index]?.key[2])
  if (!isSame) return
  await Promise.all([log.delete(range), log.put(packed, last.key)])
}

async function keepProgress(tx: Writing, run: RunId, next: number): Promise<void> {
  const head = await tx.objectStore('log').openKeyCursor(keysOf(run), 'prev')
  // A tail that was set aside meanwhile took what was packed with it.
  await tx.objectStore('meta').put(String(Math.min(next, head?.key[1] ?? 0)), coldKey(run))
}

/** Records that follow each other as one. */
function joined(group: readonly Stored[]): LogRecord {
  const bytes = new Uint8Array(group.reduce((sum, { record }) => sum + record.bytes.byteLength, 0))
  const ends: number[] = []
  let at = 0
  for (const { record } of group) {
    bytes.set(new Uint8Array(record.bytes), at)
    for (const end of record.ends) ends.push(at + end)
    at += record.bytes.byteLength
  }
  return { ends, bytes: bytes.buffer }
}
