import { isWaystoneError, WaystoneError } from '../errors.ts'
import { entryHeads, isDamage, parseReadable, soundLines, type EntryHead } from './damage.ts'
import type { Digest, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import type { ReadBlobs } from '../ports/blobs.ts'
import type { Cipher } from '../ports/cipher.ts'
import type { Head, LogStore } from '../ports/log-store.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import { digestBytes, fromUtf8 } from '../state/digest.ts'
import type { Bodies, EntryKind } from './bodies.ts'
import { checkBodies } from './check-bodies.ts'
import { parseLine, verifyChain, type Entry, type ParsedEntry, type StoredEntry } from './entry.ts'
import { foldEntries, foldEntry, type Fold } from './fold.ts'
import { checkBlob, readBlob, unpack } from './pack.ts'
import { keyMissing, openBody } from './sealed-body.ts'
import { foldOfSnapshot } from './snapshot.ts'

/** What bodies are read from. */
export interface BodySource {
  readonly blobs: ReadBlobs
  /** Opens what is sealed. */
  readonly cipher?: Cipher | undefined
  /** What this host has no key for is read as far as it stands in the open, as the edge does. */
  readonly blind?: boolean | undefined
}

/** What a log is read from. */
export interface ReaderPorts extends BodySource {
  readonly store: Pick<LogStore, 'read' | 'head'>
  readonly snapshots: Pick<Snapshots, 'list' | 'get'>
}

/** An entry that is a snapshot. */
export type SnapshotEntry = Extract<Entry, { kind: 'snapshot' }>

/** Kinds whose bodies may hold a packed state. */
export const packedKinds: ReadonlySet<string> = new Set(['start', 'fork', 'rewind'])

/** Reads one run's log: lines, entries, and what they fold to, from the nearest snapshot on. */
export class LogReader {
  readonly run: RunId
  readonly #ports: ReaderPorts

  constructor(run: RunId, ports: ReaderPorts) {
    this.run = run
    this.#ports = ports
  }

  /** Lines from a sequence number on, or from the first that is kept: one page, or less when no more than `count` are needed. */
  page(from: number, count?: number): Promise<readonly Uint8Array[]> {
    return this.#ports.store.read(this.run, from, count)
  }

  /** The first entry that is kept; undefined for an empty log. */
  async first(): Promise<number | undefined> {
    const [line] = await this.page(0, 1)
    return line && parseLine(line).seq
  }

  /** The line of one entry, if it is kept here. */
  async line(seq: number): Promise<Uint8Array | undefined> {
    const [line] = await this.lines(seq, seq)
    return line
  }

  /** All lines in a range that are kept. */
  async lines(from: number, to: number): Promise<readonly Uint8Array[]> {
    const lines: Uint8Array[] = []
    for (let next = from; next <= to;) {
      const page = await this.page(next, to - next + 1)
      const first = page[0]
      if (first === undefined) break
      const begin = parseLine(first).seq
      lines.push(...page.slice(0, Math.max(0, to - begin + 1)))
      next = begin + page.length
    }
    return lines
  }

  /** The heads of all entries in a range that are kept, though some of them may be damaged. */
  async heads(from: number, to: number): Promise<readonly EntryHead[]> {
    const lines: Uint8Array[] = []
    // What comes after them says which of them are right.
    const last = to + 2
    for (let next = from; next <= last;) {
      const page = await this.page(next, last - next + 1)
      if (page.length === 0) break
      lines.push(...page)
      next = begins(lines, from) + lines.length
    }
    const head = await this.#ports.store.head(this.run)
    return entryHeads(begins(lines, from), lines, head).filter(({ seq }) => seq <= to)
  }

  /** All entries in a range that are kept, bodies included. */
  async entries(from: number, to: number): Promise<readonly Entry[]> {
    return this.resolve((await this.lines(from, to)).map(parseLine))
  }

  /**
   * Entries with their bodies, which may stand in blobs, each of the form of its kind. Rejects with `blob_missing`,
   * `log_damaged`, `entry_refused`.
   */
  async resolve(stored: readonly ParsedEntry[]): Promise<readonly Entry[]> {
    const entries = await resolveAll(stored, this.#ports)
    checkBodies(entries)
    return entries
  }

  /** `resolve` of entries that are stored here, in a row: one that names a key that is not here may be damaged. */
  async resolveStored(stored: readonly ParsedEntry[]): Promise<readonly Entry[]> {
    try {
      return await this.resolve(stored)
    } catch (error) {
      const last = stored.at(-1)
      if (last && isWaystoneError(error, 'key_missing'))
        await this.#checkWritten(last, (await this.page(last.seq + 1, 1))[0])
      throw error
    }
  }

  /** What a snapshot tells. Rejects with `blob_missing`, `log_damaged`. */
  foldOf(snapshot: SnapshotEntry): Promise<Fold> {
    return foldSnapshot(snapshot, this.#ports)
  }

  /**
   * The fold up to an entry, or up to the head. Begins at the newest snapshot before it that proves right; one that is
   * damaged, or not of this log, is passed over. `known`: the digests of snapshot entries, for those whose entry is not
   * among what is read. Undefined for an empty log. Rejects with `checkpoint_gone`, `log_damaged`.
   */
  async foldTo(to: number, known: ReadonlySet<Digest> = new Set()): Promise<Fold | undefined> {
    for await (const entry of this.#snapshots(to)) {
      try {
        const fold = await this.#foldFrom(entry, to, known)
        if (fold) return fold
      } catch (error) {
        if (!isPassedOver(error)) throw error
      }
    }
    return this.#foldRange(undefined, to)
  }

  /**
   * The fold of as much of a damaged log as is sound, and what is not: from the newest snapshot that is readable on.
   * `fold` is undefined when not even the beginning is. `since`: what comes after this entry is read, although a newer
   * snapshot could do without.
   */
  async foldSound(since?: Head): Promise<{ readonly fold: Fold | undefined; readonly error: unknown }> {
    const head = await this.#ports.store.head(this.run)
    if (since) {
      const before = await this.foldTo(since.seq).catch(() => undefined)
      if (before) return this.#foldWhileSound(before, head)
    }
    for await (const entry of this.#snapshots(Infinity)) {
      // Not parsed: it may be the damaged one.
      const [stored] = await this.page(entry.seq, 1)
      if (stored === undefined || digestBytes(stored) !== entry.digest) continue
      try {
        return await this.#foldWhileSound(await foldSnapshot(entry, this.#ports), head)
      } catch (error) {
        if (!isDamage(error)) throw error
      }
    }
    return this.#foldWhileSound(undefined, head)
  }

  async #foldWhileSound(
    from: Fold | undefined,
    head: Head | undefined,
  ): Promise<{ readonly fold: Fold | undefined; readonly error: unknown }> {
    let fold = from
    for (;;) {
      const page = await this.page((fold?.head.seq ?? -1) + 1)
      const sound = soundLines(fold?.head, page, head)
      try {
        for (const line of page.slice(0, sound)) {
          const [entry] = await this.resolve([parseLine(line)])
          fold = foldEntry(fold, entry as Entry)
        }
        verifyChain(this.run, fold?.head, page.slice(sound))
        // Where it is a chain, the store says that its end is another.
        if (sound < page.length) throw notWritten(this.run, (fold?.head.seq ?? -1) + 1)
      } catch (error) {
        if (isDamage(error)) return { fold, error }
        throw error
      }
      if (page.length === 0) return { fold, error: undefined }
    }
  }

  /** The snapshots of entries up to one that are readable here, the newest first. */
  async *#snapshots(to: number): AsyncGenerator<SnapshotEntry, void> {
    const ats = await this.#ports.snapshots.list(this.run)
    for (const at of ats.filter((one) => one <= to).toReversed()) {
      const entry = await this.#snapshot(at)
      if (entry) yield entry
    }
  }

  async #snapshot(at: number): Promise<SnapshotEntry | undefined> {
    const line = await this.#ports.snapshots.get(this.run, at)
    if (line === undefined) return undefined
    try {
      const entry = await resolveEntry(parseLine(line), this.#ports)
      const isOne = entry.kind === 'snapshot' && entry.run === this.run && entry.body.at.seq === at
      return isOne ? entry : undefined
    } catch (error) {
      if (isPassedOver(error)) return undefined
      throw error
    }
  }

  /** Undefined when the snapshot is not one of this log. */
  async #foldFrom(entry: SnapshotEntry, to: number, known: ReadonlySet<Digest>): Promise<Fold | undefined> {
    if (to < entry.seq && !known.has(entry.digest)) {
      const stored = await this.line(entry.seq)
      if (stored === undefined || parseLine(stored).digest !== entry.digest) return undefined
    }
    const fold = await this.#foldRange(await foldSnapshot(entry, this.#ports), to)
    const isInLog = fold?.snapshots.some((note) => note.entry.digest === entry.digest)
    return to < entry.seq || isInLog ? fold : undefined
  }

  /**
   * The last entry of what was read no other one of it vouches for: the line after it does, or what the store knows of its head. Throws
   * `log_damaged` when it is another one.
   */
  async #checkWritten({ seq, digest }: Head, after: Uint8Array | undefined): Promise<void> {
    const next = after && parseReadable(after)
    const known = next?.seq === seq + 1 ? next.prev : (await this.#headAt(seq))?.digest
    if (known !== undefined && known !== digest) throw notWritten(this.run, seq)
  }

  async #headAt(seq: number): Promise<Head | undefined> {
    const head = await this.#ports.store.head(this.run)
    return head?.seq === seq ? head : undefined
  }

  /**
   * What a log that begins later follows, by the snapshot among its entries that says so: a host that died as it took them has put it
   * nowhere else. Rejects with `checkpoint_gone` without one.
   */
  async #foldBefore({ seq, prev }: ParsedEntry, to: number): Promise<Fold> {
    for (
      let next = seq, page = await this.page(next);
      page.length > 0 && to >= seq;
      page = await this.page(next)
    ) {
      const fold = await foldFollowed(prev, page, this.#ports)
      if (fold) return fold
      next += page.length
    }
    throw gone(this.run, seq)
  }

  async #foldRange(from: Fold | undefined, to: number): Promise<Fold | undefined> {
    let fold = from
    for (;;) {
      const next = (fold?.head.seq ?? -1) + 1
      const page = await this.page(next, Math.max(1, to - next + 1))
      const first = page[0]
      if (first === undefined || next > to) {
        if (fold) await this.#checkWritten(fold.head, first)
        return fold
      }
      if (fold === undefined && parseLine(first).seq > 0) fold = await this.#foldBefore(parseLine(first), to)
      const lines = page.slice(0, to - next + 1)
      fold = foldEntries(fold, await this.resolveStored(verifyChain(this.run, fold?.head, lines)))
    }
  }
}

/** True for the line of a snapshot of the entry that has this digest. */
export function isSnapshotAfter(line: Uint8Array, digest: string | null): boolean {
  const { kind, body } = parseLine(line)
  return kind === 'snapshot' && (body as { readonly at?: Head } | undefined)?.at?.digest === digest
}

/** The entry that the first of these stored lines is, by what most of them say: one that is damaged may say another. */
function begins(lines: readonly Uint8Array[], otherwise: number): number {
  const votes = new Map<number, number>()
  for (const [index, line] of lines.entries()) {
    const entry = parseReadable(line)
    if (entry) votes.set(entry.seq - index, (votes.get(entry.seq - index) ?? 0) + 1)
  }
  const [most] = [...votes].sort(([, a], [, b]) => b - a)
  return most?.[0] ?? otherwise
}

/**
 * A log that begins with these lines: with its first entry, or after the entry that a snapshot among them is of. `fold` is
 * undefined without that snapshot. Rejects with `log_damaged`, `entry_refused`, `blob_missing`.
 */
export async function foldBegun(
  run: RunId,
  lines: readonly Uint8Array[],
  source: BodySource,
): Promise<{
  readonly base: Head | undefined
  readonly entries: readonly Entry[]
  readonly fold: Fold | undefined
}> {
  const { seq, prev } = parseLine(lines[0] as Uint8Array)
  const base: Head | undefined = prev === null ? undefined : { seq: seq - 1, digest: prev }
  const entries = await resolveAll(verifyChain(run, base, lines), source)
  checkBodies(entries)
  const snapshot = entries.find(
    (entry): entry is SnapshotEntry => entry.kind === 'snapshot' && entry.body.at.digest === base?.digest,
  )
  if (base && snapshot === undefined) return { base, entries, fold: undefined }
  return { base, entries, fold: foldEntries(snapshot && (await foldSnapshot(snapshot, source)), entries) }
}

/** What the entry of a digest comes to, by the snapshot among these lines that says so. Undefined without one. */
export async function foldFollowed(
  digest: string | null,
  lines: readonly Uint8Array[],
  source: BodySource,
): Promise<Fold | undefined> {
  const line = lines.find((one) => isSnapshotAfter(one, digest))
  const entry = line && (await resolveEntry(parseLine(line), source))
  return entry?.kind === 'snapshot' ? foldSnapshot(entry, source) : undefined
}

/** What a snapshot says that the entries up to its own tell. Rejects with `blob_missing`, `log_damaged`. */
export async function foldSnapshot(entry: SnapshotEntry, source: BodySource): Promise<Fold> {
  const packed = await unpack(entry.body.fold, entry.run, source.blobs, opening(entry, source))
  try {
    return foldOfSnapshot(entry, packed)
  } catch (cause) {
    if (cause instanceof WaystoneError) throw cause
    throw new WaystoneError('log_damaged', `snapshot ${String(entry.seq)} of run ${entry.run} holds no run`, {
      run: entry.run,
      cause,
    })
  }
}

/**
 * Fetches what an entry's body needs from blobs, opens it if it is sealed, and checks it. Rejects with `blob_missing`,
 * `log_damaged`, `key_missing`.
 */
export async function resolveEntry(stored: ParsedEntry, source: BodySource): Promise<Entry> {
  const { run, bodyBlob, seq } = stored
  const { enc: _, ...rest } = stored
  if (mayOpen(stored, source)) {
    const sealed = stored.encBlob && (await readBlob(stored.encBlob, run, source.blobs))
    const body = openBody(source.cipher, stored, sealed)
    return whole(rest, body, stored.size + (sealed?.byteLength ?? 0), source)
  }
  const bytes = bodyBlob && (await readBlob(bodyBlob, run, source.blobs))
  const body = bytes ? bodyIn(bytes, run, seq) : (stored.body as Json)
  return whole(rest, body, stored.size + (bytes?.byteLength ?? 0), source)
}

async function whole(stored: ParsedEntry, body: Json, size: number, source: BodySource): Promise<Entry> {
  const isPacked = packedKinds.has(stored.kind) && stored.blobs !== undefined
  const all = isPacked ? await unpackState(body, stored, source) : body
  return { ...stored, body: all as unknown as Bodies[EntryKind], size } as unknown as Entry
}

/** True for a sealed entry, but where it is read in the open since there is no key for it. */
function mayOpen({ key }: Pick<StoredEntry, 'key'>, { cipher, blind }: BodySource): boolean {
  return key !== undefined && (cipher?.has(key) === true || blind !== true)
}

/** How the blobs that an entry names are opened. */
function opening(
  entry: Pick<StoredEntry, 'key' | 'run'>,
  source: BodySource,
): (bytes: Uint8Array) => Uint8Array {
  const { cipher } = source
  if (!mayOpen(entry, source)) return (bytes) => bytes
  if (cipher === undefined) throw keyMissing(entry.run, entry.key as string)
  return (bytes) => cipher.openBlob(bytes)
}

/** A blob of an encrypted run, as it was before it was sealed, of any other as it is. Undefined when it is not in reach. */
export async function openedBlob(
  { run, key }: { readonly run: RunId; readonly key: string | undefined },
  hash: Digest,
  source: BodySource,
): Promise<Uint8Array | undefined> {
  const bytes = await source.blobs.get(run, hash)
  if (bytes === undefined) return undefined
  checkBlob(bytes, hash, run, source.blobs)
  return opening(key === undefined ? { run } : { run, key }, source)(bytes)
}

function bodyIn(bytes: Uint8Array, run: RunId, seq: number): Json {
  try {
    return JSON.parse(fromUtf8(bytes)) as Json
  } catch (cause) {
    throw new WaystoneError('entry_refused', `the body of entry ${String(seq)} of run ${run} is not JSON`, {
      run,
      cause,
    })
  }
}

/** `resolveEntry` of several. */
export function resolveAll(stored: readonly ParsedEntry[], source: BodySource): Promise<readonly Entry[]> {
  return Promise.all(stored.map((entry) => resolveEntry(entry, source)))
}

/** Only what may be packed: in the rest may be anything that looks like it. */
async function unpackState(body: Json, stored: ParsedEntry, source: BodySource): Promise<Json> {
  const { state, keys } = body as { readonly state?: Json; readonly keys?: Json }
  const packed = { ...(state === undefined ? {} : { state }), ...(keys === undefined ? {} : { keys }) }
  return {
    ...(body as object),
    ...((await unpack(packed, stored.run, source.blobs, opening(stored, source))) as object),
  }
}

/** True for what makes a snapshot useless here and now. */
export function isPassedOver(error: unknown): boolean {
  return isDamage(error) || isWaystoneError(error, 'unreachable')
}

function notWritten(run: RunId, seq: number): WaystoneError {
  return new WaystoneError('log_damaged', `entry ${String(seq)} of run ${run} is not what was written`, {
    run,
  })
}

function gone(run: RunId, first: number): WaystoneError {
  return new WaystoneError(
    'checkpoint_gone',
    `run ${run} is kept from entry ${String(first)} on: what was before was let go, and no snapshot is left to begin from`,
    { run, details: { first } },
  )
}
