import { WaystoneError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { LogStore } from '../ports/log-store.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import { parseReadable } from './damage.ts'
import type { ParsedEntry } from './entry.ts'

/** A checkpoint as far as its own entry tells it, so that no state has to be made to list it. */
export interface StoredCheckpoint {
  readonly seq: number
  readonly digest: Digest
  /** Milliseconds since 1970, by the clock of its owner. */
  readonly time: number
  /** What was saved: the kind of its entry. */
  readonly trigger: string
  readonly label?: string
  /** The turn that begins or goes on there, where its entry says so. */
  readonly turn?: number
  /** True at the end of a turn, where the state is whole. */
  readonly whole: boolean
  /** True when one can go back there: it is stored as it was written, and the log is kept from a beginning up to it. */
  readonly valid: boolean
  /** Who wrote it, and when; not told where only a snapshot of it is left. */
  readonly owner?: OwnerId
  readonly epoch?: number
  readonly term?: number
}

/** Which checkpoints are listed: those before an entry, newest first, of which all that is given is true. */
export interface CheckpointQuery {
  readonly before?: number | undefined
  readonly label?: string | undefined
  readonly trigger?: string | undefined
  readonly valid?: boolean | undefined
  /** Written from then on, and before then, in ms since 1970. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly limit: number
}

/** Some of them. `next` is there when there may be more: the `before` to go on with. */
export interface StoredCheckpoints {
  readonly checkpoints: readonly StoredCheckpoint[]
  readonly next?: number
}

/** Where a log is stored. */
export interface CheckpointPorts {
  readonly store: Pick<LogStore, 'read' | 'head'>
  readonly snapshots: Pick<Snapshots, 'list' | 'get'>
}

/** Kinds of entries that one goes back to. */
const kinds: ReadonlySet<string> = new Set([
  'start',
  'fork',
  'commit',
  'put',
  'rewind',
  'migrate',
  'edit',
  'label',
  'snapshot',
])

/** Entries that are read at once, and those that are looked at for one list before it is told with what it has. */
const readAtOnce = 100
const scannedMax = 2_000
const scannedBytesMax = 8_000_000

/**
 * Lists the checkpoints of a log from what its entries say of themselves: neither a state nor a blob is read, and of the log
 * no more than a bounded part. A list may therefore be shorter than asked for, even empty, and have a `next`. Rejects with
 * `run_unknown`, `format_newer`.
 */
export async function storedCheckpoints(
  run: RunId,
  { store, snapshots }: CheckpointPorts,
  query: CheckpointQuery,
): Promise<StoredCheckpoints> {
  const head = await store.head(run)
  if (head === undefined) throw new WaystoneError('run_unknown', `there is no run ${run} here`, { run })
  const first = beginOf(await store.read(run, 0, readAtOnce)) ?? 0
  const ats = await snapshots.list(run)
  const begins = (seq: number): boolean => first === 0 || ats.some((at) => at + 1 >= first && at <= seq)
  const found: StoredCheckpoint[] = []
  let before = Math.min(query.before ?? Infinity, head.seq + 1)
  let scanned = 0
  let bytes = 0
  while (before > first) {
    if (scanned >= scannedMax || bytes >= scannedBytesMax) return { checkpoints: found, next: before }
    const from = Math.max(first, before - readAtOnce)
    // One more: each line is vouched for by the one after it, the last by what the store knows of its head.
    const lines = await linesOf(run, store, from, before)
    for (const line of lines) bytes += line.byteLength
    scanned += before - from
    let after = entryIn(lines[before - from], before)
    for (let seq = before - 1; seq >= from; seq -= 1) {
      const entry = entryIn(lines[seq - from], seq)
      const vouched = seq === head.seq ? head.digest : after?.prev
      after = entry
      if (entry === undefined || !kinds.has(entry.kind)) continue
      const checkpoint = checkpointOf(entry, vouched === entry.digest && begins(seq))
      if (!matches(checkpoint, query)) continue
      found.push(checkpoint)
      if (found.length === query.limit) return { checkpoints: found, next: seq }
    }
    before = from
  }
  for (const at of ats.filter((one) => one < before).toReversed()) {
    const checkpoint = outlived(await snapshots.get(run, at))
    if (checkpoint === undefined || !matches(checkpoint, query)) continue
    found.push(checkpoint)
    if (found.length === query.limit) return { checkpoints: found, next: at }
  }
  return { checkpoints: found }
}

/** The lines of a range, both ends included, as far as there are any. */
async function linesOf(
  run: RunId,
  store: CheckpointPorts['store'],
  from: number,
  to: number,
): Promise<readonly Uint8Array[]> {
  const lines: Uint8Array[] = []
  while (from + lines.length <= to) {
    const page = await store.read(run, from + lines.length, to - from - lines.length + 1)
    if (page.length === 0) break
    lines.push(...page)
  }
  return lines
}

/** Where lines begin, some of which may be damaged. */
function beginOf(lines: readonly Uint8Array[]): number | undefined {
  for (const [index, line] of lines.entries()) {
    const entry = parseReadable(line)
    if (entry) return entry.seq - index
  }
  return undefined
}

/** What is damaged is no entry of this place. */
function entryIn(line: Uint8Array | undefined, seq: number): ParsedEntry | undefined {
  const entry = line && parseReadable(line)
  return entry?.seq === seq ? entry : undefined
}

/** What bodies say of themselves that stand in their entries and can be read; another one says nothing. */
interface Readable {
  readonly label?: unknown
  readonly turn?: unknown
  readonly path?: unknown
  readonly records?: unknown
  readonly at?: unknown
  readonly time?: unknown
}

function checkpointOf(entry: ParsedEntry, valid: boolean): StoredCheckpoint {
  const { seq, digest, time, kind, owner, epoch, term } = entry
  const body: Readable = typeof entry.body === 'object' && entry.body !== null ? entry.body : {}
  const turn = turnOf(kind, body)
  const label = kind === 'label' && typeof body.label === 'string' ? { label: body.label } : {}
  const about = { ...label, ...(turn === undefined ? {} : { turn }), whole: isWhole(kind, body) }
  return { seq, digest, time, trigger: kind, ...about, valid, owner, epoch, term }
}

function turnOf(kind: string, { turn, path }: Readable): number | undefined {
  // A path of a turn begins with its number; that of a session is none.
  const inTurn = kind === 'label' ? /^(\d{1,15})\//.exec(String(path))?.[1] : undefined
  if (inTurn !== undefined) return Number(inTurn)
  if (kind === 'start') return 0
  return typeof turn === 'number' ? turn + (kind === 'commit' ? 1 : 0) : undefined
}

/** A label is in a turn, or one of a session; a snapshot may be made at any time. */
function isWhole(kind: string, { path, records }: Readable): boolean {
  if (kind === 'label') return !/^\d+\//.test(String(path))
  if (kind === 'fork' || kind === 'rewind') return Array.isArray(records) && records.length === 0
  return kind !== 'snapshot'
}

/** A checkpoint that has outlived its entry, by its snapshot. */
function outlived(line: Uint8Array | undefined): StoredCheckpoint | undefined {
  const entry = line && parseReadable(line)
  const body: Readable = typeof entry?.body === 'object' && entry.body !== null ? entry.body : {}
  const { at, time, turn, label } = body
  if (typeof at !== 'object' || at === null || typeof time !== 'number') return undefined
  const { seq, digest } = at as { readonly seq: number; readonly digest: Digest }
  return {
    ...{ seq, digest, time, trigger: 'snapshot', whole: false, valid: true },
    ...(typeof label === 'string' ? { label } : {}),
    ...(typeof turn === 'number' ? { turn } : {}),
  }
}

function matches({ label, trigger, valid, time }: StoredCheckpoint, query: CheckpointQuery): boolean {
  return (
    (query.label === undefined || label === query.label) &&
    (query.trigger === undefined || trigger === query.trigger) &&
    (query.valid === undefined || valid === query.valid) &&
    time >= (query.from ?? 0) &&
    time < (query.to ?? Infinity)
  )
}
