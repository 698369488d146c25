import { WaystoneError } from '../errors.ts'
import { parseDigest, parseOwnerId, parseRunId, type Digest, type OwnerId, type RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Head } from '../ports/log-store.ts'
import { digestBytes, fromUtf8, utf8 } from '../state/digest.ts'
import type { Json } from '../json.ts'
import type { Bodies, EntryDraft, EntryKind } from './bodies.ts'

/** The number of the stored format. Golden files hold every one readable. */
export const entryFormat = 1

/** The header of an entry and its body as stored, which may stand in a blob. */
export interface StoredEntry {
  readonly format: typeof entryFormat
  readonly run: RunId
  readonly seq: number
  readonly prev: Digest | null
  readonly epoch: number
  readonly term: number
  readonly owner: OwnerId
  readonly time: number
  readonly kind: string
  /** When the run wants to be woken, in ms since 1970; readable while the body is not. */
  readonly due?: number
  /** Blobs that the body, or an artifact in it, needs. They are stored before the entry. */
  readonly blobs?: readonly Digest[]
  /** Set instead of `body` when the body is a blob. */
  readonly bodyBlob?: Digest
  readonly body?: Json
}

/** An entry whose body is at hand. */
export type Entry = {
  [K in EntryKind]: Omit<StoredEntry, 'kind' | 'body'> & {
    readonly kind: K
    readonly body: Bodies[K]
    /** SHA-256 of the stored bytes. */
    readonly digest: Digest
    /** How many they are, with those of a body that is a blob. */
    readonly size: number
  }
}[EntryKind]

/** A stored entry with what its bytes tell. */
export type ParsedEntry = StoredEntry & { readonly digest: Digest; readonly size: number }

/** Where an entry is going to stand. */
export interface Position {
  readonly run: RunId
  readonly seq: number
  readonly prev: Digest | null
  readonly epoch: number
  readonly term: number
  readonly owner: OwnerId
  readonly time: number
}

/** A sealed entry: its bytes, and the blob that holds its body when that is large. */
export interface Sealed {
  readonly entry: Entry
  readonly line: Uint8Array
  readonly blob?: { readonly hash: Digest; readonly bytes: Uint8Array }
}

/** Writes an entry for a place in the log and hashes it. A body over the limit becomes a blob. */
export function sealEntry(draft: EntryDraft, at: Position, due?: number): Sealed {
  const header = {
    format: entryFormat,
    run: at.run,
    seq: at.seq,
    prev: at.prev,
    epoch: at.epoch,
    term: at.term,
    owner: at.owner,
    time: at.time,
    kind: draft.kind,
    ...(due === undefined ? {} : { due }),
  } as const
  const blobs = draft.blobs ?? []
  const whole = utf8(JSON.stringify({ ...header, ...(blobs.length ? { blobs } : {}), body: draft.body }))
  if (whole.byteLength <= limits.entryBytesMax) {
    const digest = digestBytes(whole) as Digest
    return {
      entry: {
        ...header,
        ...(blobs.length ? { blobs } : {}),
        body: draft.body,
        digest,
        size: whole.byteLength,
      } as Entry,
      line: whole,
    }
  }
  const bytes = utf8(JSON.stringify(draft.body))
  const hash = digestBytes(bytes) as Digest
  const stored = { ...header, blobs: [...blobs, hash], bodyBlob: hash }
  const line = utf8(JSON.stringify(stored))
  if (line.byteLength > limits.entryBytesMax) {
    throw new WaystoneError(
      'limit_exceeded',
      `an entry names ${String(blobs.length)} blobs, which is too many for one entry`,
    )
  }
  return {
    entry: {
      ...stored,
      body: draft.body,
      digest: digestBytes(line) as Digest,
      size: line.byteLength + bytes.byteLength,
    } as Entry,
    line,
    blob: { hash, bytes },
  }
}

/** Reads the header of a stored line. Throws `entry_refused`, or `format_newer` for a format of a later Waystone. */
export function parseLine(line: Uint8Array): ParsedEntry {
  if (line.byteLength > limits.entryBytesMax) {
    throw refused(`expected at most ${String(limits.entryBytesMax)} bytes, found ${String(line.byteLength)}`)
  }
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(line))
  } catch (cause) {
    throw refused('it is not a line of JSON', cause)
  }
  if (typeof value !== 'object' || value === null) throw refused('it is not a JSON object')
  const entry = value as Partial<Record<keyof StoredEntry, unknown>>
  if (typeof entry.format === 'number' && entry.format > entryFormat) {
    throw new WaystoneError(
      'format_newer',
      `this entry has format ${String(entry.format)}, this Waystone reads up to ${String(entryFormat)}: update Waystone here`,
      { actions: ['reload'] },
    )
  }
  checkHeader(entry)
  return { ...(entry as unknown as StoredEntry), digest: digestBytes(line) as Digest, size: line.byteLength }
}

/** Checks that lines follow `base` in one chain of one run. Returns their headers. Throws `log_damaged`. */
export function verifyChain(
  run: RunId,
  base: Head | undefined,
  lines: readonly Uint8Array[],
): readonly ParsedEntry[] {
  let seq = base === undefined ? -1 : base.seq
  let prev: Digest | null = base?.digest ?? null
  return lines.map((line) => {
    const entry = parseLine(line)
    if (entry.run !== run || entry.seq !== seq + 1 || entry.prev !== prev) {
      throw new WaystoneError(
        'log_damaged',
        `the log of run ${run} does not continue: expected entry ${String(seq + 1)} after ${prev ?? 'nothing'}, found entry ` +
          `${String(entry.seq)} of run ${entry.run} after ${entry.prev ?? 'nothing'}`,
        { run, actions: ['reload'] },
      )
    }
    seq = entry.seq
    prev = entry.digest
    return entry
  })
}

function checkHeader(entry: Partial<Record<keyof StoredEntry, unknown>>): void {
  if (entry.format !== entryFormat)
    throw refused(`expected format ${String(entryFormat)}, found ${JSON.stringify(entry.format)}`)
  for (const name of ['seq', 'epoch', 'term', 'time'] as const) {
    const value = entry[name]
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw refused(`expected "${name}" to be a whole number, found ${JSON.stringify(value)}`)
    }
  }
  try {
    parseRunId(entry.run)
    parseOwnerId(entry.owner)
    if (entry.prev !== null) parseDigest(entry.prev)
    if (entry.bodyBlob !== undefined) parseDigest(entry.bodyBlob)
    if (entry.blobs !== undefined) (entry.blobs as unknown[]).map(parseDigest)
  } catch (cause) {
    throw refused(cause instanceof Error ? cause.message : 'its ids are malformed', cause)
  }
  if (typeof entry.kind !== 'string') throw refused('it has no kind')
  if ((entry.body === undefined) === (entry.bodyBlob === undefined)) throw refused('it has no body, or two')
}

function refused(why: string, cause?: unknown): WaystoneError {
  return new WaystoneError(
    'entry_refused',
    `this is no entry of a log: ${why}`,
    cause === undefined ? {} : { cause },
  )
}
