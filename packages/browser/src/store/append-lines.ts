import {
  assert,
  headOfLine,
  planAppend,
  WaystoneError,
  type Append,
  type Appended,
  type Digest,
  type Head,
  type RunId,
} from '@waystone/core'
import type { Database, LogKey, LogRecord } from './database.ts'
import { keysFrom, keysOf, linesOf, recordOf, splitLines } from './database.ts'
import { moveAside } from './move-aside.ts'
import { write, type Writing } from './transact.ts'

/** Records of a run, ready to be put. */
type Packed = readonly { readonly key: LogKey; readonly value: LogRecord }[]

/** An append whose bytes are ours: copied into records. */
export interface OwnAppend extends Omit<Append, 'lines'> {
  readonly packed: Packed
}

/** Copies and hashes the lines of an append, since neither can wait until a transaction is open. */
export function ownAppend(run: RunId, append: Append): OwnAppend {
  const { lines, ...rest } = append
  return { ...rest, packed: pack(run, (append.base?.seq ?? -1) + 1, lines, append.end) }
}

/** Stores an append: at the head in one go, else after looking at what the log has since the base. */
export async function appendLines(db: Database, run: RunId, own: OwnAppend): Promise<Appended> {
  const appended = await appendAtHead(db, run, own)
  if (appended) return appended
  return appendAfterLook(db, run, { ...own, lines: own.packed.flatMap(({ value }) => linesOf(run, value)) })
}

/** The head that a key of the log stands for. */
export function headOfKey(key: LogKey | undefined): Head | undefined {
  return key && { seq: key[1], digest: key[2] as Digest }
}

/**
 * Checks the head and writes in one go: a write that waits for a read costs a round trip more. The check's answer
 * comes before those of the writes and rolls them back. Undefined when the log does not end at the base.
 */
async function appendAtHead(db: Database, run: RunId, own: OwnAppend): Promise<Appended | undefined> {
  const { base, summary, packed } = own
  const end = headOfKey(packed.at(-1)?.key)
  if (end === undefined) return undefined
  let isMoved = false
  try {
    await write(db, summary ? ['log', 'runs'] : ['log'], own.durability, async (tx) => {
      const log = tx.objectStore('log')
      const checked = log.openKeyCursor(keysOf(run), 'prev').then((cursor) => {
        const head = headOfKey(cursor?.key)
        isMoved = head?.seq !== base?.seq || head?.digest !== base?.digest
        if (isMoved) tx.abort()
        else tx.commit()
      })
      const puts: Promise<unknown>[] = packed.map(({ key, value }) => log.put(value, key))
      if (summary) puts.push(tx.objectStore('runs').put(summary, run))
      await Promise.all([checked, ...puts])
    })
    return { ok: true, head: end }
  } catch (error) {
    if (isMoved) return undefined
    throw error
  }
}

/** Reads what the log has from the base on and does what core decides. */
async function appendAfterLook(db: Database, run: RunId, append: Append): Promise<Appended> {
  return write(db, ['log', 'runs', 'aside'], append.durability, async (tx) => {
    const log = tx.objectStore('log')
    const from = Math.max(0, append.base?.seq ?? 0)
    // Every record holds at least one line, so these reach as far as the plan may ask.
    const count = append.lines.length + 1
    const [cursor, keys, records] = await Promise.all([
      log.openKeyCursor(keysOf(run), 'prev'),
      log.getAllKeys(keysFrom([run], from), count),
      log.getAll(keysFrom([run], from), count),
    ])
    const known = new Map(keys.flatMap((key, index) => numbered(run, key, records[index] as LogRecord)))
    const head = headOfKey(cursor?.key)
    const plan = planAppend(append, head, (seq) => headOfMaybe(known.get(seq)))
    if (!plan.ok) return plan
    const isCut = head !== undefined && plan.keep <= head.seq
    if (isCut && append.setAside) await moveAside(tx, run, plan.keep, append.setAside)
    const isRepeat = !isCut && plan.lines.length === 0 && append.lines.length > 0
    await put(tx, run, pack(run, plan.keep, plan.lines), isRepeat ? undefined : append.summary)
    return { ok: true, head: plan.head }
  })
}

async function put(tx: Writing, run: RunId, packed: Packed, summary: Append['summary']): Promise<void> {
  const log = tx.objectStore('log')
  const puts: Promise<unknown>[] = packed.map(({ key, value }) => log.put(value, key))
  if (summary) puts.push(tx.objectStore('runs').put(summary, run))
  await Promise.all(puts)
}

/** Lines as records, the first line at `from`. Throws `entry_refused` for lines that do not count up from there. */
function pack(run: RunId, from: number, lines: readonly Uint8Array[], end?: Head): Packed {
  let next = from
  const last = from + lines.length
  return splitLines(lines).map((group) => {
    next += group.length
    const { seq, digest } = next === last && end ? end : headOfLine(group.at(-1) as Uint8Array)
    if (seq !== next - 1) {
      throw new WaystoneError(
        'entry_refused',
        `expected entry ${String(next - 1)} of run ${run}, found entry ${String(seq)}`,
        { run },
      )
    }
    return { key: [run, seq, digest], value: recordOf(group) }
  })
}

/** The lines of a stored record with their sequence numbers. */
function numbered(run: RunId, [, to]: LogKey, record: LogRecord): readonly [number, Uint8Array][] {
  const lines = linesOf(run, record)
  assert(to - lines.length >= -1, 'a record begins before its log')
  return lines.map((line, index) => [to - lines.length + 1 + index, line])
}

function headOfMaybe(line: Uint8Array | undefined): Head | undefined {
  return line && headOfLine(line)
}
