import { WaystoneError } from '../errors.ts'
import { parseDigest, parseOwnerId, parseRunId, type Digest, type OwnerId, type RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Head } from '../ports/log-store.ts'
import type { Cipher } from '../ports/cipher.ts'
import { digestBytes, fromUtf8, toBase64, utf8 } from '../state/digest.ts'
import type { Json } from '../json.ts'
import type { Bodies, EntryDraft, EntryKind } from './bodies.ts'
import { publicBody } from './public-body.ts'
import { sealBody } from './sealed-body.ts'

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
  /** Of a sealed entry, the id of its key: `body` is what stands in the open of it. */
  readonly key?: string
  /** Of the first entry that is sealed with a key: the public key, in base64, of those who write to its inbox. */
  readonly inbox?: string
  /** The sealed body, in base64. */
  readonly enc?: string
  /** Set instead of `enc` when the sealed body is a blob. */
  readonly encBlob?: Digest
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

/** An entry as it is to be stored: its bytes, and the blobs that hold what is too large for them. */
export interface Sealed {
  readonly entry: Entry
  readonly line: Uint8Array
  readonly blobs: readonly { readonly hash: Digest; readonly bytes: Uint8Array }[]
}

/** What bodies are sealed with. */
export interface Sealing {
  readonly cipher: Cipher
  readonly key: string
  /** The public key of its inbox, for the first entry that is sealed with it. */
  readonly inbox?: string
}

/**
 * Writes an entry for a place in the log and hashes it. A body over the limit becomes a blob. With `sealing` the body is
 * sealed, and what may be known without its key stands beside it.
 */
export function sealEntry(draft: EntryDraft, at: Position, due?: number, sealing?: Sealing): Sealed {
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
  if (sealing === undefined)
    return smallest(draft, header, [
      { blobs, body: draft.body },
      { blobs, large: draft.body },
    ])
  const { cipher, key, inbox } = sealing
  const named = inbox === undefined ? { key } : { key, inbox }
  const sealed = sealBody(cipher, key, { ...header, ...named }, draft.body)
  const open = { ...named, body: draft.shown ?? publicBody(draft.kind, draft.body as never) }
  return smallest(draft, header, [
    { ...open, blobs, enc: toBase64(sealed) },
    { ...open, blobs, sealed },
    { ...named, blobs, large: open.body, sealed },
  ])
}

/** A way to write an entry: what stands in its line, and what in blobs. */
interface Form {
  readonly blobs: readonly Digest[]
  readonly key?: string
  readonly inbox?: string
  readonly body?: unknown
  readonly enc?: string
  /** A body for a blob. */
  readonly large?: unknown
  /** A sealed body for a blob. */
  readonly sealed?: Uint8Array
}

/** The first form whose line is no longer than lines may be. */
function smallest(draft: EntryDraft, header: object, forms: readonly Form[]): Sealed {
  for (const { key, inbox, blobs: named, body, enc, large, sealed } of forms) {
    const own: { readonly hash: Digest; readonly bytes: Uint8Array }[] = []
    const blobOf = (bytes: Uint8Array): Digest => {
      const hash = digestBytes(bytes) as Digest
      own.push({ hash, bytes })
      return hash
    }
    const bodyBlob = large === undefined ? undefined : blobOf(utf8(JSON.stringify(large)))
    const encBlob = sealed && blobOf(sealed)
    const blobs = [...named, ...own.map(({ hash }) => hash)]
    // The order of the fields is part of the format: golden files hold lines byte for byte.
    const stored = {
      ...header,
      ...(key === undefined ? {} : { key }),
      ...(inbox === undefined ? {} : { inbox }),
      ...(blobs.length === 0 ? {} : { blobs }),
      ...(bodyBlob === undefined ? { body } : { bodyBlob }),
      ...(enc === undefined ? {} : { enc }),
      ...(encBlob === undefined ? {} : { encBlob }),
    }
    const line = utf8(JSON.stringify(stored))
    if (line.byteLength > limits.entryBytesMax) continue
    const { enc: _, ...entry } = stored
    const size = own.reduce((sum, { bytes }) => sum + bytes.byteLength, line.byteLength)
    const digest = digestBytes(line) as Digest
    return { entry: { ...entry, body: draft.body, digest, size } as unknown as Entry, line, blobs: own }
  }
  throw new WaystoneError(
    'limit_exceeded',
    `an entry names ${String(draft.blobs?.length ?? 0)} blobs, which is too many for one entry`,
  )
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

/**
 * Checks that lines follow `base` in one chain of one run. Returns their headers. Throws `log_damaged`. `known`: the headers of
 * the first ones, from a caller that has parsed these very bytes.
 */
export function verifyChain(
  run: RunId,
  base: Head | undefined,
  lines: readonly Uint8Array[],
  known: readonly ParsedEntry[] = [],
): readonly ParsedEntry[] {
  let seq = base === undefined ? -1 : base.seq
  let prev: Digest | null = base?.digest ?? null
  return lines.map((line, index) => {
    const entry = known[index] ?? parseLine(line)
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
    if (entry.encBlob !== undefined) parseDigest(entry.encBlob)
    if (entry.blobs !== undefined) (entry.blobs as unknown[]).map(parseDigest)
  } catch (cause) {
    throw refused(cause instanceof Error ? cause.message : 'its ids are malformed', cause)
  }
  if (typeof entry.kind !== 'string') throw refused('it has no kind')
  if ((entry.body === undefined) === (entry.bodyBlob === undefined)) throw refused('it has no body, or two')
  checkSealing(entry)
}

function checkSealing({ key, inbox, enc, encBlob }: Partial<Record<keyof StoredEntry, unknown>>): void {
  if ([key, inbox, enc, encBlob].every((field) => field === undefined)) return
  if (inbox !== undefined && (typeof inbox !== 'string' || inbox.length > limits.nameCharsMax))
    throw refused(`expected "inbox" to be a public key, found ${JSON.stringify(inbox)}`)
  if (typeof key !== 'string' || key === '' || key.length > limits.nameCharsMax)
    throw refused(`expected "key" to be the id of a key, found ${JSON.stringify(key)}`)
  if ((enc === undefined) === (encBlob === undefined) || (enc !== undefined && typeof enc !== 'string'))
    throw refused('it has no sealed body, or two')
}

function refused(why: string, cause?: unknown): WaystoneError {
  return new WaystoneError(
    'entry_refused',
    `this is no entry of a log: ${why}`,
    cause === undefined ? {} : { cause },
  )
}
