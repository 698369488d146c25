import {
  assert,
  headOfLine,
  parseLine,
  planAppend,
  WaystoneError,
  type Append,
  type Appended,
  type Digest,
  type Head,
  type RunId,
} from '@waystone/core'
import type { Database, LogKey, LogRecord } from './database.ts'
import { keysFrom, keysOf } from './database.ts'
import { firstSeqOf, Inflated, linesOf, recordOf, splitLines } from './log-record.ts'
import { moveAside } from './move-aside.ts'
import { write, type Writing } from './transact.ts'

/** A record and where it belongs. */
interface Keyed {
  readonly key: LogKey
  readonly value: LogRecord
}

/** An append whose bytes are ours: copied into records. */
export interface OwnAppend extends Omit<Append, 'lines'> {
  readonly records: readonly Keyed[]
}

/** How often an append is tried whose records are deflated between looking and storing. */
const triesMax = 10

/** Copies and hashes the lines of an append, since neither can wait until a transaction is open. */
export function ownAppend(run: RunId, append: Append): OwnAppend {
  const { lines, ...rest } = append
  return { ...rest, records: recordsOf(run, (append.base?.seq ?? -1) + 1, lines, append.end) }
}

/** Stores an append: at the head in one go, else after looking at what the log has since the base. */
export async function appendLines(db: Database, run: RunId, own: OwnAppend): Promise<Appended> {
  const appended = await appendAtHead(db, run, own)
  if (appended) return appended
  const append = { ...own, lines: own.records.flatMap(({ value }) => linesOf(run, value)) }
  const inflated = new Inflated(run)
  for (let tries = 1; ; tries += 1) {
    const looked = await appendAfterLook(db, run, append, inflated)
    if ('ok' in looked) return looked
    assert(tries < triesMax, `the records of run ${run} do not come to rest`)
    for (const { key, value } of looked.deflated) await inflated.add(key, value)
  }
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
  const { base, summary, records } = own
  const end = headOfKey(records.at(-1)?.key)
  if (end === undefined) return undefined
  let isMoved = false
  try {
    await write(db, summary ? ['log', 'runs'] : ['log'], own.durability, async (tx) => {
      const log = tx.objectStore('log')
      // The keys from the base on: faster than a cursor for the last one.
      const checked = log.getAllKeys(keysFrom([run], base?.seq ?? -Infinity), 2).then(([first, ...more]) => {
        const found = headOfKey(first)
        isMoved = more.length > 0 || found?.seq !== base?.seq || found?.digest !== base?.digest
        if (isMoved) tx.abort()
        else tx.commit()
      })
      const puts: Promise<unknown>[] = records.map(({ key, value }) => log.put(value, key))
      if (summary) puts.push(tx.objectStore('runs').put(summary, run))
      await Promise.all([checked, ...puts])
    })
    return { ok: true, head: end }
  } catch (error) {
    if (isMoved) return undefined
    throw error
  }
}

/** Reads what the log has from the base on and does what core decides. Nothing when records have to be inflated first. */
async function appendAfterLook(
  db: Database,
  run: RunId,
  append: Append,
  inflated: Inflated,
): Promise<Appended | { readonly deflated: readonly Keyed[] }> {
  return write(db, ['log', 'runs', 'aside', 'meta'], append.durability, async (tx) => {
    const log = tx.objectStore('log')
    const from = Math.max(0, append.base?.seq ?? 0)
    // Every record holds at least one line, so these reach as far as the plan may ask.
    const count = append.lines.length + 1
    const [cursor, keys, values] = await Promise.all([
      log.openKeyCursor(keysOf(run), 'prev'),
      log.getAllKeys(keysFrom([run], from), count),
      log.getAll(keysFrom([run], from), count),
    ])
    const found = keys.map((key, index): Keyed => ({ key, value: values[index] as LogRecord }))
    const deflated = found.filter(({ key, value }) => inflated.linesOf(key, value) === undefined)
    if (deflated.length > 0) return { deflated }
    const known = new Map(found.flatMap((record) => numbered(run, record, inflated)))
    const head = headOfKey(cursor?.key)
    const plan = planAppend(append, head, (seq) => headAt(known, seq, append))
    if (!plan.ok) return plan
    const isCut = head !== undefined && plan.keep <= head.seq
    if (isCut && append.setAside) await moveAside(tx, run, plan.keep, append.setAside, inflated)
    const isRepeat = !isCut && plan.lines.length === 0 && append.lines.length > 0
    await put(tx, run, recordsOf(run, plan.from, plan.lines), isRepeat ? undefined : append.summary)
    return { ok: true, head: plan.head }
  })
}

/** The head at a sequence number. The one before the first line of a log is known by that line, to whom goes on from there. */
function headAt(known: ReadonlyMap<number, Uint8Array>, seq: number, { lines }: Append): Head | undefined {
  const line = known.get(seq)
  if (line) return headOfLine(line)
  const next = known.get(seq + 1)
  const prev = next && parseLine(next).prev
  return prev && lines.length > 0 ? { seq, digest: prev } : undefined
}

async function put(
  tx: Writing,
  run: RunId,
  records: readonly Keyed[],
  summary: Append['summary'],
): Promise<void> {
  const log = tx.objectStore('log')
  const puts: Promise<unknown>[] = records.map(({ key, value }) => log.put(value, key))
  if (summary) puts.push(tx.objectStore('runs').put(summary, run))
  await Promise.all(puts)
}

/** Lines as records, the first line at `from`. Throws `entry_refused` for lines that do not count up from there. */
function recordsOf(run: RunId, from: number, lines: readonly Uint8Array[], end?: Head): readonly Keyed[] {
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
function numbered(
  run: RunId,
  { key, value }: Keyed,
  inflated: Inflated,
): readonly (readonly [number, Uint8Array])[] {
  const from = firstSeqOf(run, key, value)
  return (inflated.linesOf(key, value) ?? []).map((line, index) => [from + index, line])
}
