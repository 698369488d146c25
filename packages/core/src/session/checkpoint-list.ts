import type { Digest, OwnerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { parseLine, type ParsedEntry } from '../log/entry.ts'
import type { Fold } from '../log/fold.ts'
import type { RunLog } from '../log/run-log.ts'
import { parseCount } from './options.ts'

/** A position of a session to load, fork or rewind at. */
export interface SessionCheckpoint {
  readonly seq: number
  readonly digest: Digest
  /** Milliseconds since 1970, by the clock of whoever wrote it. */
  readonly time: number
  /** What was written: the kind of its entry. */
  readonly trigger: string
  readonly label: string | undefined
  /** Who wrote it; undefined where only a snapshot of it is left. */
  readonly owner: OwnerId | undefined
}

/** Which checkpoints: those before an entry, newest first. */
export interface ListOptions {
  /** Default: all. */
  readonly before?: number
  /** Default 100, at most 1,000. */
  readonly limit?: number
}

/** Kinds of entries that change what a session has. */
const kinds = new Set(['start', 'fork', 'commit', 'put', 'rewind', 'migrate', 'label'])

/** Entries that are read at once. */
const readAtOnce = 256

/** The checkpoints of a log, newest first. Reads no more of it than they are. */
export async function checkpointsOf(
  log: RunLog,
  options: ListOptions,
): Promise<readonly SessionCheckpoint[]> {
  const limit = parseCount('limit', options.limit ?? 100, limits.checkpointsMax)
  const fold = log.mustFold()
  const found: SessionCheckpoint[] = []
  let before = Math.min(options.before ?? Infinity, fold.head.seq + 1)
  while (before > 0 && found.length < limit) {
    const from = Math.max(0, before - Math.min(readAtOnce, limit - found.length))
    const entries = (await log.reader.lines(from, before - 1)).map(parseLine)
    const first = entries[0]?.seq
    const labels = await labelsOf(log, entries)
    found.push(
      ...entries
        .filter(({ kind }) => kinds.has(kind))
        .map((entry) => checkpoint(entry, labels.get(entry.seq)))
        .toReversed(),
    )
    if (first !== from) {
      found.push(...labelled(fold, first ?? before))
      break
    }
    before = from
  }
  return found.slice(0, limit)
}

function checkpoint(
  { seq, digest, time, kind, owner }: ParsedEntry,
  label: string | undefined,
): SessionCheckpoint {
  return { seq, digest, time, trigger: kind, label, owner }
}

/** The labels that entries give, by the number of the entry: what is sealed has to be opened. */
async function labelsOf(log: RunLog, entries: readonly ParsedEntry[]): Promise<ReadonlyMap<number, string>> {
  const resolved = await log.reader.resolve(entries.filter(({ kind }) => kind === 'label'))
  return new Map(
    resolved.flatMap((entry) => (entry.kind === 'label' ? [[entry.seq, entry.body.label] as const] : [])),
  )
}

/** Checkpoints with a label that have outlived their entries. */
function labelled({ snapshots }: Fold, before: number): readonly SessionCheckpoint[] {
  return snapshots
    .filter(({ at, label }) => label !== undefined && at.seq < before)
    .map(({ at, time, label }) => ({ ...at, time, trigger: 'label', label, owner: undefined }))
    .toReversed()
}
