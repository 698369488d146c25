import { assert, isWaystoneError, WaystoneError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import { InOrder } from '../in-order.ts'
import { limits } from '../limits.ts'
import { listen } from '../listen.ts'
import type { Blobs, ReadBlobs } from '../ports/blobs.ts'
import type { Cipher } from '../ports/cipher.ts'
import type { Append, Compaction, Head, LogStore, RunSummary } from '../ports/log-store.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import { sameBytes } from '../state/bytes.ts'
import { digestBytes } from '../state/digest.ts'
import type { Value } from '../state/codec.ts'
import type { Bodies, EntryDraft, EntryKind } from './bodies.ts'
import { damagedReason, effectsStarted, isDamage, type Damage } from './damage.ts'
import {
  parseLine,
  sealEntry,
  verifyChain,
  type Entry,
  type ParsedEntry,
  type Sealed,
  type Sealing,
} from './entry.ts'
import { foldEntries, isEnded, mayFollowEnd, summaryOf, type Fold } from './fold.ts'
import { checkBodies } from './check-bodies.ts'
import { foldBegun, LogReader, openedBlob, packedKinds, type BodySource } from './log-reader.ts'
import { pack, packForEntry, type Part, type Seal } from './pack.ts'
import { isSealed, openKinds } from './public-body.ts'
import { keyMissing } from './sealed-body.ts'

/** What a log is kept in. */
export interface LogPorts extends Pick<BodySource, 'blind'> {
  readonly store: LogStore
  readonly snapshots: Snapshots
  readonly blobs: Blobs & ReadBlobs
  readonly now: () => number
  /** With it runs that begin here are encrypted, and those that are can be read. */
  readonly cipher?: Cipher | undefined
  /** An edge is to have it, too: its summary says so from the first append on. */
  readonly hasEdge?: boolean
  /** A log that begins with entries from elsewhere has to be encrypted. */
  readonly onlySealed?: boolean | undefined
}

/** Entries with the lines that hold them. */
export interface Appending {
  readonly entries: readonly Entry[]
  readonly lines: readonly Uint8Array[]
}

/** What a host adds to what the log is by then. */
interface Own {
  readonly owner: OwnerId
  readonly first: (fold: Fold | undefined) => readonly EntryDraft[]
}

/** What a host adds behind what others have written. */
interface OwnBehind extends Own {
  /** Hears of the head that the log will have, before it does. */
  readonly ends?: (head: Head) => void
}

/** An append that waits for its turn. */
interface Waiting extends Own {
  readonly strict: boolean
  readonly state: Value
  readonly resolve: (entries: readonly Entry[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * One run's log at one host: the fold of what is stored, and the only way to add to it. Appends are applied one after
 * the other; one that the store refuses because the head moved rejects with `head_moved` and changes nothing here.
 */
export class RunLog {
  readonly run: RunId
  /** Reads what is stored. */
  readonly reader: LogReader
  readonly #ports: LogPorts
  readonly #listeners = new Set<(appending: Appending, fold: Fold) => void>()
  readonly #replacedListeners = new Set<(keep: number) => void>()
  #fold: Fold | undefined
  /** Its summary says what this host would. */
  #isSummed = false
  /** Where the log ended when it was noted, or was to be, that the edge has it. */
  #settled: Digest | undefined
  #damage: Damage | undefined
  readonly #inOrder = new InOrder()
  readonly #waiting: Waiting[] = []
  /** Blobs that were put for an entry that is not there yet. */
  readonly #putting = new Set<Digest>()
  /** Blobs of entries that are on their way here. */
  readonly #coming = new Set<readonly Digest[]>()

  private constructor(run: RunId, ports: LogPorts) {
    this.run = run
    this.#ports = ports
    this.reader = new LogReader(run, ports)
  }

  /**
   * Reads, verifies and folds what the store has of a run, which may be nothing. What is damaged is set aside, with all
   * that came after it, and told in `damage`.
   */
  static async open(run: RunId, ports: LogPorts): Promise<RunLog> {
    const log = new RunLog(run, ports)
    try {
      await log.catchUp()
    } catch (error) {
      // Of a log that begins later, none of whose snapshots leads to its end, nobody has to be told that it was let go.
      if (!isDamage(error) && !isWaystoneError(error, 'checkpoint_gone')) throw error
      await log.#setAsideDamage()
    }
    return log
  }

  /** What was found damaged last, by `open` or `catchUp`. */
  get damage(): Damage | undefined {
    return this.#damage
  }

  /** The run as far as it is stored; undefined when nothing is. */
  get fold(): Fold | undefined {
    return this.#fold
  }

  /** The run as far as it is stored. Throws `run_unknown`. */
  mustFold(): Fold {
    if (this.#fold === undefined)
      throw new WaystoneError('run_unknown', `there is no run ${this.run} here`, { run: this.run })
    return this.#fold
  }

  /** Hears every entry right after it is durable, in order. Returns how to stop. */
  listen(listener: (appending: Appending, fold: Fold) => void): () => void {
    return listen(this.#listeners, listener)
  }

  /** Hears that entries this log had were set aside: what comes after `keep` is to be read again. */
  onReplaced(listener: (keep: number) => void): () => void {
    return listen(this.#replacedListeners, listener)
  }

  /**
   * Folds what others have stored since; tells the listeners. A log that others have replaced is read anew, and what is
   * damaged of it is set aside as by `open`.
   */
  catchUp(): Promise<void> {
    return this.#inOrder.run(async () => {
      try {
        await this.#readOn()
      } catch (error) {
        if (!isDamage(error)) throw error
        await this.#setAsideDamage()
        if (this.#fold === undefined) throw error
        this.#replaced(-1)
      }
    })
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const mine = this.#fold?.head
      if (mine === undefined) return this.#readAnew()
      const lines = await this.reader.page(mine.seq + 1)
      const first = lines[0]
      const follows = first === undefined ? await this.#isStored(mine) : parseLine(first).prev === mine.digest
      if (!follows) return this.#readAnew()
      if (first === undefined) return
      const entries = await this.reader.resolveStored(verifyChain(this.run, mine, lines))
      this.#take({ entries, lines }, this.#after(this.#fold, entries))
    }
  }

  /**
   * Seals and stores entries at the head, as this owner. `first` makes the entries from the fold as it is when it is
   * their turn; it may return none. Rejects with `head_moved` when somebody else appended, `run_ended` after the end.
   * `state`: what the commit among the entries makes, when the caller has it; it must never change from then on.
   */
  append(
    owner: OwnerId,
    first: (fold: Fold | undefined) => readonly EntryDraft[],
    options: { readonly strict?: boolean; readonly state?: Value } = {},
  ): Promise<readonly Entry[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        owner,
        first,
        strict: options.strict ?? false,
        state: options.state,
        resolve,
        reject,
      })
      if (this.#waiting.length === 1) void this.#inOrder.run(() => this.#appendWaiting())
    })
  }

  async #appendWaiting(): Promise<void> {
    while (this.#waiting.length > 0) await this.#appendGroup()
  }

  /** Appends what waits in one go: what came while the store was busy shares its next transaction, up to a size. */
  async #appendGroup(): Promise<void> {
    const base = this.#fold
    const group: { readonly waiting: Waiting; readonly sealed: readonly Sealed[] }[] = []
    let fold = base
    let bytes = 0
    while (bytes < limits.groupBytesMax) {
      const waiting = this.#waiting.shift()
      if (waiting === undefined) break
      try {
        const sealed = await this.#seal(fold, waiting.owner, waiting.first(whole(base, fold)))
        if (sealed.length > 0) fold = this.#after(fold, entriesOf(sealed), waiting.state)
        for (const { line } of sealed) bytes += line.byteLength
        group.push({ waiting, sealed })
      } catch (error) {
        waiting.reject(error)
      }
    }
    const sealed = group.flatMap((one) => one.sealed)
    try {
      if (fold !== undefined && sealed.length > 0) {
        const durability = group.some(({ waiting }) => waiting.strict) ? 'strict' : 'relaxed'
        const appending = { entries: entriesOf(sealed), lines: linesOf(sealed) }
        await this.#commit(appending, fold, { base: base?.head, durability })
      }
      for (const one of group) one.waiting.resolve(entriesOf(one.sealed))
    } catch (error) {
      // Who appended nothing only wanted to know that what came before is over.
      for (const { waiting, sealed: mine } of group) {
        if (mine.length > 0) waiting.reject(error)
        else waiting.resolve([])
      }
    }
  }

  /** Stores lines and takes over what they fold to. */
  async #commit(
    appending: Appending,
    fold: Fold,
    append: Pick<Append, 'base' | 'durability' | 'begins' | 'setAside'>,
  ): Promise<void> {
    const isSame = sameSummary(this.#fold, fold) && (this.#isSummed || !this.#ports.hasEdge)
    const summary = isSame ? {} : { summary: this.#summary(fold) }
    await this.#write(appending, { ...append, ...summary, end: fold.head })
    this.#isSummed = true
    // What was consumed in a log that another one replaces waits to be consumed again.
    if (append.begins) this.#fold = undefined
    this.#take(appending, fold)
  }

  /** Stores lines, all or nothing. Rejects with `head_moved`. */
  async #write(appending: Appending, append: Omit<Append, 'lines'>): Promise<void> {
    const appended = await this.#ports.store.append(this.run, { ...append, lines: appending.lines })
    if (!appended.ok) throw headMoved(this.run, append.base, appended.head)
    await this.#keepSnapshots(appending)
  }

  /** Where to begin reading from now on. Losing it loses nothing but time. */
  async #keepSnapshots({ entries, lines }: Appending): Promise<void> {
    for (const [index, entry] of entries.entries()) {
      if (entry.kind !== 'snapshot') continue
      const line = lines[index] as Uint8Array
      await this.#ports.snapshots.put(this.run, entry.body.at.seq, line).catch(() => undefined)
    }
  }

  /**
   * Stores lines that another host sealed. Those the log has already must be the very same. A log that is empty here may
   * begin with the lines after the entry that a snapshot among them is of. Rejects with `log_damaged` when they are no
   * chain, `head_moved` when they do not continue this log, `blob_missing` when a body is not here. `parsed`: the headers of
   * all of them, from a caller that has parsed these very bytes. `own`: what is added behind them in the same transaction.
   */
  adopt(
    lines: readonly Uint8Array[],
    { parsed, own }: { readonly parsed?: readonly ParsedEntry[]; readonly own?: OwnBehind } = {},
  ): Promise<readonly Entry[]> {
    return this.#inOrder.run(async () => {
      const { fresh, headers } = await this.#unknownOf(lines, parsed)
      if (fresh.length === 0) return []
      const isLost = this.#fold === undefined && this.#damage !== undefined
      if (this.#fold === undefined && (headers[0]?.seq ?? 0) > 0)
        return this.#begin(fresh, isLost ? this.#aside() : {})
      const entries = await this.reader.resolve(verifyChain(this.run, this.#fold?.head, fresh, headers))
      const adopted = this.#after(this.#fold, entries)
      this.#checkSealed(adopted)
      const more = isLost ? this.#aside() : {}
      const sealed = own ? await this.#seal(adopted, own.owner, own.first(whole(this.#fold, adopted))) : []
      const all = { entries: [...entries, ...entriesOf(sealed)], lines: [...fresh, ...linesOf(sealed)] }
      const fold = sealed.length > 0 ? this.#after(adopted, entriesOf(sealed)) : adopted
      if (sealed.length > 0) own?.ends?.(fold.head)
      await this.#commit(all, fold, { base: this.#fold?.head, durability: 'relaxed', ...more })
      return entries
    })
  }

  /**
   * Begins the log anew with lines that another host sealed, from a snapshot among them on or from their first entry: for
   * a log that ends before what the other one still has, or has nothing of it. What was here is set aside in the same
   * transaction. With `damaged`, what it says, for one of which what comes after these lines is damaged.
   */
  beginAnew(lines: readonly Uint8Array[], reason: string, damaged?: string): Promise<void> {
    return this.#inOrder.run(async () => {
      const missing = await this.#missing(lines, damaged)
      await this.#begin(lines, { setAside: { reason, time: this.#ports.now() } })
      this.#damage = missing ?? this.#damage
      this.#replaced(-1)
    })
  }

  /** What the log loses to damage when it ends with these lines. */
  async #missing(lines: readonly Uint8Array[], reason: string | undefined): Promise<Damage | undefined> {
    if (reason === undefined) return undefined
    const seq = parseLine(lines.at(-1) as Uint8Array).seq + 1
    return { seq, reason, effects: effectsStarted(await this.#storedFrom(seq), this.#ports.cipher) }
  }

  /** All that is stored from an entry on, whether or not it can be read. */
  async #storedFrom(seq: number): Promise<readonly Uint8Array[]> {
    const lines: Uint8Array[] = []
    for (
      let page = await this.reader.page(seq);
      page.length > 0;
      page = await this.reader.page(seq + lines.length)
    )
      lines.push(...page)
    return lines
  }

  /** What comes in the place of an encrypted run is encrypted, too, and so is all that comes where nothing else is taken. */
  #checkSealed(next: Fold): void {
    const before = this.#fold
    const isNeeded = before ? isSealed(before) : this.#ports.onlySealed === true
    if (!isNeeded || isSealed(next)) return
    throw new WaystoneError(
      'log_damaged',
      `run ${this.run} has to be encrypted, and what came from elsewhere is not: nothing of it was taken`,
      { run: this.run },
    )
  }

  /** For a log of which not even the beginning could be read. */
  #aside(): Pick<Append, 'setAside'> {
    return { setAside: { reason: this.#damage?.reason ?? '', time: this.#ports.now() } }
  }

  async #begin(lines: readonly Uint8Array[], append: Pick<Append, 'setAside'>): Promise<readonly Entry[]> {
    const { base, entries, fold } = await foldBegun(this.run, lines, this.#ports)
    if (fold === undefined) {
      throw new WaystoneError(
        'log_damaged',
        `the log of run ${this.run} cannot begin at entry ${String((base?.seq ?? -1) + 1)}: no snapshot of the one before is among what came`,
        { run: this.run, actions: ['reload'] },
      )
    }
    this.#checkSealed(fold)
    await this.#commit({ entries, lines }, fold, { base, durability: 'strict', begins: true, ...append })
    return entries
  }

  /**
   * Replaces everything after `base` by lines that another host sealed; what was there is set aside in the same
   * transaction. `damaged` as for `beginAnew`.
   */
  replaceTail(base: Head, lines: readonly Uint8Array[], reason: string, damaged?: string): Promise<void> {
    return this.#inOrder.run(async () => {
      const missing = await this.#missing(lines, damaged)
      const entries = await this.reader.resolve(verifyChain(this.run, base, lines))
      const before = await this.reader.foldTo(base.seq, this.#snapshotDigests())
      const fold = foldEntries(before, entries)
      assert(fold !== undefined, 'a tail was replaced in an empty log')
      const setAside = { reason, time: this.#ports.now() }
      const appending = { entries, lines }
      await this.#write(appending, { base, durability: 'strict', summary: this.#summary(fold), setAside })
      this.#fold = fold
      this.#damage = missing ?? this.#damage
      this.#replaced(base.seq)
    })
  }

  /**
   * Notes beside the log that the edge has it as it is now, once for each end of it: whoever opens its device next need not look.
   * Nothing when somebody else has appended meanwhile.
   */
  settle(): Promise<void> {
    return this.#inOrder.run(async () => {
      const fold = this.#fold
      if (fold === undefined || this.#settled === fold.head.digest) return
      this.#settled = fold.head.digest
      const summary = { ...this.#summary(fold), synced: fold.head.seq }
      await this.#ports.store.append(this.run, {
        ...{ base: fold.head, lines: [], durability: 'relaxed', summary },
      })
    })
  }

  #summary(fold: Fold): RunSummary {
    return { ...summaryOf(fold), ...(this.#ports.hasEdge ? { edge: true } : {}) }
  }

  /** The fold up to and including one entry. Throws `input_refused` when the log does not reach that far. */
  async foldAt(seq: number): Promise<Fold> {
    const head = this.mustFold().head
    if (!Number.isSafeInteger(seq) || seq < 0 || seq > head.seq) {
      throw new WaystoneError(
        'input_refused',
        `run ${this.run} has entries 0 to ${String(head.seq)}, there is none ${String(seq)}`,
        { run: this.run },
      )
    }
    const fold = await this.reader.foldTo(seq, this.#snapshotDigests())
    assert(fold !== undefined, 'a log with a head was read as empty')
    return fold
  }

  /** All entries in a range that are kept, bodies included. */
  entries(from: number, to: number): Promise<readonly Entry[]> {
    return this.reader.entries(from, to)
  }

  /** The stored lines from a sequence number on: one page. */
  lines(from: number): Promise<readonly Uint8Array[]> {
    return this.reader.page(from)
  }

  /**
   * As `lines`, for others who will take them for the truth: only those that are certain to be as they were written.
   * Rejects with `log_damaged` when they are not.
   */
  async provenLines(from: number): Promise<readonly Uint8Array[]> {
    const page = await this.lines(from)
    const { head } = this.mustFold()
    const isAll = from + page.length > head.seq
    // What is not the last is proven by the line after it, which stays behind when it is on the next page.
    const lines = isAll ? page.slice(0, head.seq - from + 1) : page.slice(0, Math.max(1, page.length - 1))
    const last = lines.at(-1)
    if (isAll && last && digestBytes(last) !== head.digest) {
      throw new WaystoneError(
        'log_damaged',
        `entry ${String(head.seq)} of run ${this.run} is not stored as it was written`,
        { run: this.run },
      )
    }
    return lines
  }

  /** True when what comes after an entry, as much as `provenLines` reads of it, is as it was written. */
  async isSound(base: Head | undefined): Promise<boolean> {
    try {
      verifyChain(this.run, base, await this.provenLines((base?.seq ?? -1) + 1))
      return true
    } catch (error) {
      if (isDamage(error)) return false
      throw error
    }
  }

  /**
   * Reads again what comes after an entry, since something was found damaged that had been sound: sets aside what is, as
   * `open` does.
   */
  recheck(since?: Head): Promise<void> {
    return this.#inOrder.run(async () => {
      await this.#setAsideDamage(since)
      this.#replaced(-1)
    })
  }

  /** Lets entries go, between two appends. False when `isDue` is not true of the run as it is by then, or somebody else has written it. */
  compact(compaction: Omit<Compaction, 'head'>, isDue: (fold: Fold) => boolean): Promise<boolean> {
    return this.#inOrder.run(async () => {
      const fold = this.mustFold()
      return isDue(fold) && (await this.#ports.store.compact(this.run, { ...compaction, head: fold.head }))
    })
  }

  /**
   * Removes snapshots and blobs, between two appends: those that nothing named in the run as it was at `since`. What was
   * named since then, or is about to be, stays. `since` is undefined for a run that had not begun. False when nothing went, since there are
   * other snapshots by then, or it has begun.
   */
  remove(since: Fold | undefined, snapshots: readonly number[], blobs: readonly Digest[]): Promise<boolean> {
    return this.#inOrder.run(async () => {
      const now = this.#fold
      if (now?.snapshots !== since?.snapshots || !(await this.#isStored(now?.head))) return false
      const fresh = now?.blobs.filter(({ seq }) => seq > (since?.head.seq ?? -1)) ?? []
      const named = new Set([
        ...this.#putting,
        ...[...this.#coming].flat(),
        ...fresh.flatMap(({ hashes }) => hashes),
      ])
      await this.#ports.snapshots.remove(this.run, snapshots)
      await this.#ports.blobs.remove(
        this.run,
        blobs.filter((hash) => !named.has(hash)),
      )
      return true
    })
  }

  /** Does something for which blobs must not be removed, such as to look for them and then take entries that name them. */
  async holding<T>(blobs: readonly Digest[], work: () => Promise<T>): Promise<T> {
    this.#coming.add(blobs)
    try {
      // What is being removed already is gone before this looks.
      await this.#inOrder.run(() => Promise.resolve())
      return await work()
    } finally {
      this.#coming.delete(blobs)
    }
  }

  /** Stores a blob that an entry is going to name: until then it is not removed. */
  async putBlob(bytes: Uint8Array): Promise<Digest> {
    const stored = this.seal(bytes)
    const hash = digestBytes(stored) as Digest
    this.#putting.add(hash)
    await this.#ports.blobs.put(this.run, hash, stored)
    return hash
  }

  /** A blob as it was put. Undefined when it is not in reach; rejects with `log_damaged`, `key_missing`. */
  getBlob(hash: Digest): Promise<Uint8Array | undefined> {
    return openedBlob({ run: this.run, key: this.#fold?.sealedWith.at(-1) }, hash, this.#ports)
  }

  /** The bytes of a blob as they are to be stored: sealed if the run is. */
  seal(bytes: Uint8Array): Uint8Array {
    const { fold } = this
    const sealing = fold && this.#sealing(fold, { kind: 'step' }, fold.sealedWith.at(-1))
    return sealing ? sealing.cipher.sealBlob(sealing.key, bytes) : bytes
  }

  /** Reads what is stored once more: this host can read more of it now, or less. */
  readAgain(): Promise<void> {
    return this.#inOrder.run(async () => void (this.#fold = await this.reader.foldTo(Infinity)))
  }

  /** Opens what is sealed here. */
  get cipher(): Cipher | undefined {
    return this.#ports.cipher
  }

  /** False for an encrypted run to whose newest key this host has none. */
  get isReadable(): boolean {
    const key = this.#fold?.sealedWith.at(-1)
    return key === undefined || this.#ports.cipher?.has(key) === true
  }

  /** True when what is stored ends where this log does, but for what is being appended. */
  isCurrent(): Promise<boolean> {
    return this.#inOrder.run(() => this.#isStored(this.#fold?.head))
  }

  async #isStored(head: Head | undefined): Promise<boolean> {
    return (await this.#ports.store.head(this.run))?.digest === head?.digest
  }

  /** What cannot be read leaves the log, verbatim. When not even its beginning can, it waits for one from elsewhere. */
  async #setAsideDamage(since?: Head): Promise<void> {
    const { fold, error } = await this.reader.foldSound(since)
    if (error === undefined) {
      // Whoever let go of entries meanwhile has made it look so.
      this.#fold = fold
      return
    }
    const seq = (fold?.head.seq ?? -1) + 1
    const lines = await this.#storedFrom(seq)
    const reason = `${damagedReason}${error instanceof Error ? error.message : String(error)}`
    this.#damage = { seq, reason, effects: effectsStarted(lines, this.#ports.cipher) }
    if (fold === undefined) return
    const appended = await this.#ports.store.append(this.run, {
      base: fold.head,
      lines: [],
      durability: 'strict',
      summary: this.#summary(fold),
      setAside: { reason, time: this.#ports.now() },
    })
    if (!appended.ok) throw headMoved(this.run, fold.head, appended.head)
    this.#fold = fold
  }

  /** Folds what is stored, from the nearest snapshot on. */
  async #readAnew(): Promise<void> {
    const before = this.#fold
    this.#fold = await this.reader.foldTo(Infinity)
    if (before ?? this.#fold) this.#replaced(-1)
  }

  #replaced(keep: number): void {
    for (const listener of this.#replacedListeners) listener(keep)
  }

  #snapshotDigests(): ReadonlySet<Digest> {
    return new Set(this.#fold?.snapshots.map(({ entry }) => entry.digest))
  }

  /** Those of the lines that come after the head, and the headers of as many as were parsed: of the first at least. */
  async #unknownOf(
    lines: readonly Uint8Array[],
    parsed: readonly ParsedEntry[] = [],
  ): Promise<{ readonly fresh: readonly Uint8Array[]; readonly headers: readonly ParsedEntry[] }> {
    const head = this.#fold?.head
    const first = parsed[0] ?? (lines[0] && parseLine(lines[0]))
    if (first === undefined) return { fresh: [], headers: [] }
    if (head === undefined) return { fresh: lines, headers: [first, ...parsed.slice(1)] }
    const known = Math.max(0, Math.min(lines.length, head.seq - first.seq + 1))
    const mine = known === 0 ? [] : await this.reader.lines(first.seq, first.seq + known - 1)
    // What was let go here is not there to compare: the newest ones are.
    const theirs = lines.slice(known - mine.length, known)
    if (mine.some((line, index) => !sameBytes(line, theirs[index] as Uint8Array)))
      throw headMoved(this.run, head, head)
    const fresh = lines.slice(known)
    if (fresh[0] === undefined) return { fresh: [], headers: [] }
    const next = known === 0 ? first : (parsed[known] ?? parseLine(fresh[0]))
    if (next.prev !== head.digest)
      throw headMoved(this.run, head, { seq: next.seq - 1, digest: next.prev as Digest })
    return { fresh, headers: [next, ...parsed.slice(known + 1)] }
  }

  async #seal(
    fold: Fold | undefined,
    owner: OwnerId,
    drafts: readonly EntryDraft[],
  ): Promise<readonly Sealed[]> {
    if (fold && isEnded(fold) && drafts.some(({ kind }) => !mayFollowEnd(kind))) {
      throw new WaystoneError(
        'run_ended',
        `run ${this.run} is ${fold.status}: nothing can be added to it. Fork it to go on from a checkpoint`,
        {
          run: this.run,
          actions: ['fork'],
        },
      )
    }
    const { run } = this
    const after = fold?.head.seq ?? -1
    checkBodies(drafts.map(({ kind, body }, index) => ({ run, seq: after + 1 + index, kind, body })))
    const sealed: Sealed[] = []
    let { seq, prev }: { seq: number; prev: Digest | null } = fold
      ? { seq: fold.head.seq, prev: fold.head.digest }
      : { seq: -1, prev: null }
    let epoch = fold?.epoch ?? 0
    let term = fold?.term ?? 1
    let key = fold?.sealedWith.at(-1)
    for (const draft of drafts) {
      if (draft.kind === 'claim') epoch += 1
      if (draft.kind === 'open') term += 1
      const at = {
        run: this.run,
        seq: seq + 1,
        prev,
        epoch,
        term,
        owner,
        time: Math.max(0, Math.floor(this.#ports.now())),
      }
      const same = this.#sealing(fold, draft, key)
      const sealing = same && (same.key === key ? same : await withInbox(same))
      const next = sealEntry(await this.#packed(draft, sealing), at, dueOf(draft), sealing)
      for (const { hash, bytes } of next.blobs) await this.#ports.blobs.put(this.run, hash, bytes)
      key = sealing?.key ?? key
      sealed.push({ ...next, entry: { ...next.entry, body: draft.body } as Entry })
      seq = next.entry.seq
      prev = next.entry.digest
    }
    return sealed
  }

  /** What the next entry is sealed with, after one that was with `last`; undefined when it is not. Throws `key_missing`. */
  #sealing(
    fold: Fold | undefined,
    { kind, body }: { readonly kind: EntryKind; readonly body?: unknown },
    last: string | undefined,
  ): Sealing | undefined {
    const { cipher, blind } = this.#ports
    // A fork says in its body what its source was sealed with.
    const given = fold?.sealedWith ?? (body as Partial<Bodies['fork']> | undefined)?.sealedWith
    // Who only borrows keys has none for what begins there.
    const isOurs = kind === 'start' ? cipher !== undefined && blind !== true : given !== undefined
    const begins = fold === undefined && isOurs
    if ((last === undefined && !begins) || openKinds.has(kind)) return undefined
    if (cipher === undefined) throw keyMissing(this.run, last ?? 'of its source')
    let key = cipher.keyFor(this.run, last, last !== undefined && last === fold?.lent)
    // A run that was imported under its own id has had keys of this id before.
    for (let used = last; key !== used && given?.includes(key) === true;) {
      used = key
      key = cipher.keyFor(this.run, key, true)
    }
    return { cipher, key }
  }

  /** A draft whose state is large has it in chunks, so that what is there already is not stored again. */
  async #packed(draft: EntryDraft, sealing: Sealing | undefined): Promise<EntryDraft> {
    if (!packedKinds.has(draft.kind) || !('state' in draft.body) || draft.body.state === undefined)
      return draft
    const { state } = draft.body
    const keys = draft.kind === 'rewind' ? draft.body.keys : undefined
    if (JSON.stringify([state, keys]).length <= packedCharsMin) return draft
    const parts: Record<string, Part> = { state: { json: state } }
    if (keys) parts['keys'] = { value: keys }
    const packing = packForEntry((chars) => pack(parts, chars, undefined, sealerOf(sealing)))
    for (let next = packing.next(); ; next = packing.next()) {
      if (next.done) {
        const { json, chunks } = next.value
        const blobs = [...(draft.blobs ?? []), ...chunks]
        return {
          kind: draft.kind,
          body: { ...draft.body, ...(json as object) },
          blobs,
        } as EntryDraft
      }
      const { hash, bytes } = next.value
      if (bytes) await this.#ports.blobs.put(this.run, hash, bytes)
    }
  }

  /** The fold with these entries, which are not stored yet: what they consume is kept apart until `#take`. */
  #after(from: Fold | undefined, entries: readonly Entry[], state?: Value): Fold {
    // A fold of a group goes on with what that consumes. It has a set of its own: what is not taken in the end leaves nothing in it.
    const before = from && { ...from, consumed: new Set(from === this.#fold ? [] : from.consumed) }
    const fold = foldEntries(before, entries, state)
    assert(fold !== undefined, 'an append ended without a fold')
    return fold
  }

  #take(appending: Appending, fold: Fold): void {
    const consumed = this.#fold?.consumed ?? new Set()
    for (const id of fold.consumed) consumed.add(id)
    for (const { blobs } of appending.entries) for (const hash of blobs ?? []) this.#putting.delete(hash)
    this.#fold = { ...fold, consumed }
    for (const listener of this.#listeners) listener(appending, this.#fold)
  }
}

/** A fold of a group with all that was consumed: it collects only what the group does. */
function whole(base: Fold | undefined, fold: Fold | undefined): Fold | undefined {
  if (base === undefined || fold === undefined || fold === base) return fold
  const { consumed } = fold
  return { ...fold, consumed: consumed.size === 0 ? base.consumed : new Set([...base.consumed, ...consumed]) }
}

function entriesOf(sealed: readonly Sealed[]): readonly Entry[] {
  return sealed.map(({ entry }) => entry)
}

function linesOf(sealed: readonly Sealed[]): readonly Uint8Array[] {
  return sealed.map(({ line }) => line)
}

async function withInbox({ cipher, key }: Sealing): Promise<Sealing> {
  return { cipher, key, inbox: await cipher.inboxKey(key) }
}

function sealerOf(sealing: Sealing | undefined): Seal | undefined {
  return sealing && ((bytes) => sealing.cipher.sealBlob(sealing.key, bytes))
}

/** A state of more than this is stored in chunks. */
const packedCharsMin = 30_000

function dueOf(draft: EntryDraft): number | undefined {
  if (draft.kind === 'ask' || draft.kind === 'sleep') return draft.body.due
  return draft.kind === 'commit' && draft.body.next.type === 'next' ? draft.body.next.due : undefined
}

function sameSummary(before: Fold | undefined, after: Fold): boolean {
  return before?.status === after.status && before.owner === after.owner && before.place === after.place
}

function headMoved(run: RunId, base: Head | undefined, head: Head | undefined): WaystoneError {
  return new WaystoneError(
    'head_moved',
    `the log of run ${run} moved: expected entry ${String(base?.seq ?? 'none')} to be its last, found ${String(head?.seq ?? 'none')}. Somebody else writes it`,
    { run, details: { expected: base, found: head }, actions: ['reload'] },
  )
}
