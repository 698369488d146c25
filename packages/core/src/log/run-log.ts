import { assert, WaystoneError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Head, LogStore } from '../ports/log-store.ts'
import { digestBytes, fromUtf8 } from '../state/digest.ts'
import type { Value } from '../state/codec.ts'
import type { Bodies, EntryDraft, EntryKind } from './bodies.ts'
import { parseLine, sealEntry, verifyChain, type Entry, type Sealed, type StoredEntry } from './entry.ts'
import { foldEntry, isEnded, summaryOf, type Fold } from './fold.ts'

/** What a log is kept in. */
export interface LogPorts {
  readonly store: LogStore
  readonly blobs: Blobs
  readonly now: () => number
}

/** Entries with the lines that hold them. */
export interface Appending {
  readonly entries: readonly Entry[]
  readonly lines: readonly Uint8Array[]
}

/** An append that waits for its turn. */
interface Waiting {
  readonly owner: OwnerId
  readonly first: (fold: Fold | undefined) => readonly EntryDraft[]
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
  readonly #ports: LogPorts
  readonly #listeners = new Set<(appending: Appending, fold: Fold) => void>()
  readonly #replacedListeners = new Set<(keep: number) => void>()
  #fold: Fold | undefined
  #tail: Promise<unknown> = Promise.resolve()
  readonly #waiting: Waiting[] = []

  private constructor(run: RunId, ports: LogPorts) {
    this.run = run
    this.#ports = ports
  }

  /** Reads, verifies and folds what the store has of a run, which may be nothing. */
  static async open(run: RunId, ports: LogPorts): Promise<RunLog> {
    const log = new RunLog(run, ports)
    await log.catchUp()
    return log
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
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Hears that entries this log had were set aside: what comes after `keep` is to be read again. */
  onReplaced(listener: (keep: number) => void): () => void {
    this.#replacedListeners.add(listener)
    return () => this.#replacedListeners.delete(listener)
  }

  /** Folds what others have stored since; tells the listeners. A log that others have replaced is read anew. */
  catchUp(): Promise<void> {
    return this.#inOrder(async () => {
      for (;;) {
        const mine = this.#fold?.head
        const lines = await this.#ports.store.read(this.run, mine === undefined ? 0 : mine.seq + 1)
        const first = lines[0]
        const follows =
          first === undefined
            ? await this.#isStored(mine)
            : (parseLine(first).prev ?? undefined) === mine?.digest
        if (!follows) {
          this.#fold = await this.#foldOf(await this.#read(0, Infinity))
          return this.#replaced(-1)
        }
        if (first === undefined) return
        const entries = await this.#resolve(verifyChain(this.run, mine, lines))
        this.#take({ entries, lines }, this.#after(this.#fold, entries))
      }
    })
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
      if (this.#waiting.length === 1) void this.#inOrder(() => this.#appendWaiting())
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
        const sealed = this.#seal(fold, waiting.owner, waiting.first(whole(base, fold)))
        for (const { blob } of sealed) if (blob) await this.#ports.blobs.put(this.run, blob.hash, blob.bytes)
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
        const isStrict = group.some(({ waiting }) => waiting.strict)
        await this.#store(base, fold, sealed, isStrict ? 'strict' : 'relaxed')
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

  async #store(
    base: Fold | undefined,
    fold: Fold,
    sealed: readonly Sealed[],
    durability: 'strict' | 'relaxed',
  ): Promise<void> {
    const lines = sealed.map(({ line }) => line)
    const appended = await this.#ports.store.append(this.run, {
      base: base?.head,
      lines,
      end: fold.head,
      durability,
      ...(sameSummary(base, fold) ? {} : { summary: summaryOf(fold) }),
    })
    if (!appended.ok) throw headMoved(this.run, base?.head, appended.head)
    this.#take({ entries: entriesOf(sealed), lines }, fold)
  }

  /**
   * Stores lines that another host sealed. Those the log has already must be the very same. Rejects with `log_damaged`
   * when they are no chain, `head_moved` when they do not continue this log, `blob_missing` when a body is not here.
   */
  adopt(lines: readonly Uint8Array[]): Promise<readonly Entry[]> {
    return this.#inOrder(async () => {
      const fresh = await this.#unknownOf(lines)
      if (fresh.length === 0) return []
      const entries = await this.#resolve(verifyChain(this.run, this.#fold?.head, fresh))
      const fold = this.#after(this.#fold, entries)
      const appended = await this.#ports.store.append(this.run, {
        base: this.#fold?.head,
        lines: fresh,
        end: fold.head,
        durability: 'relaxed',
        ...(sameSummary(this.#fold, fold) ? {} : { summary: summaryOf(fold) }),
      })
      if (!appended.ok) throw headMoved(this.run, this.#fold?.head, appended.head)
      this.#take({ entries, lines: fresh }, fold)
      return entries
    })
  }

  /**
   * Replaces everything after `base` by lines that another host sealed; what was there is set aside in the same
   * transaction. Reads the log again from its start.
   */
  replaceTail(base: Head, lines: readonly Uint8Array[], reason: string): Promise<void> {
    return this.#inOrder(async () => {
      verifyChain(this.run, base, lines)
      const fold = await this.#foldOf([...(await this.#readTo(base)), ...lines])
      const appended = await this.#ports.store.append(this.run, {
        base,
        lines,
        durability: 'strict',
        summary: summaryOf(fold),
        setAside: { reason, time: this.#ports.now() },
      })
      if (!appended.ok) throw headMoved(this.run, base, appended.head)
      this.#fold = fold
      this.#replaced(base.seq)
    })
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
    return this.#foldOf(await this.#read(0, seq))
  }

  /** All entries in a range, bodies included. */
  async entries(from: number, to: number): Promise<readonly Entry[]> {
    return this.#resolve((await this.#read(from, to)).map(parseLine))
  }

  /** The stored lines from a sequence number on: one page. */
  lines(from: number): Promise<readonly Uint8Array[]> {
    return this.#ports.store.read(this.run, from)
  }

  async #isStored(head: Head | undefined): Promise<boolean> {
    return (await this.#ports.store.head(this.run))?.digest === head?.digest
  }

  #replaced(keep: number): void {
    for (const listener of this.#replacedListeners) listener(keep)
  }

  async #foldOf(lines: readonly Uint8Array[]): Promise<Fold> {
    const entries = await this.#resolve(verifyChain(this.run, undefined, lines))
    const fold = entries.reduce<Fold | undefined>((at, entry) => foldEntry(at, entry), undefined)
    assert(fold !== undefined, 'a log without entries was folded')
    return fold
  }

  /** Those of the lines that come after the head. */
  async #unknownOf(lines: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const head = this.#fold?.head
    const first = lines[0] && parseLine(lines[0])
    if (first === undefined) return []
    const known = head === undefined ? 0 : Math.max(0, Math.min(lines.length, head.seq - first.seq + 1))
    const mine = known === 0 ? [] : await this.#read(first.seq, first.seq + known - 1)
    if (mine.some((line, index) => digestBytes(line) !== digestBytes(lines[index] as Uint8Array)))
      throw headMoved(this.run, head, head)
    const next = lines[known] && parseLine(lines[known])
    if (next && (next.prev ?? undefined) !== head?.digest)
      throw headMoved(this.run, head, { seq: next.seq - 1, digest: next.prev as Digest })
    return lines.slice(known)
  }

  #readTo(base: Head): Promise<readonly Uint8Array[]> {
    return this.#read(0, base.seq)
  }

  async #read(from: number, to: number): Promise<readonly Uint8Array[]> {
    const lines: Uint8Array[] = []
    for (let seq = from; seq <= to;) {
      const page = await this.#ports.store.read(this.run, seq)
      if (page.length === 0) break
      lines.push(...page)
      seq += page.length
    }
    return lines.slice(0, to - from + 1)
  }

  #seal(fold: Fold | undefined, owner: OwnerId, drafts: readonly EntryDraft[]): readonly Sealed[] {
    if (fold && isEnded(fold) && drafts.some(({ kind }) => kind !== 'claim' && kind !== 'open')) {
      throw new WaystoneError(
        'run_ended',
        `run ${this.run} is ${fold.status}: nothing can be added to it. Fork it to go on from a checkpoint`,
        {
          run: this.run,
          actions: ['fork'],
        },
      )
    }
    const sealed: Sealed[] = []
    let { seq, prev }: { seq: number; prev: Digest | null } = fold
      ? { seq: fold.head.seq, prev: fold.head.digest }
      : { seq: -1, prev: null }
    let epoch = fold?.epoch ?? 0
    let term = fold?.term ?? 1
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
      const next = sealEntry(draft, at, dueOf(draft))
      sealed.push(next)
      seq = next.entry.seq
      prev = next.entry.digest
    }
    return sealed
  }

  #resolve(stored: readonly (StoredEntry & { digest: Digest })[]): Promise<readonly Entry[]> {
    return Promise.all(stored.map((entry) => resolveEntry(entry, this.#ports.blobs)))
  }

  /** The fold with these entries, which are not stored yet: what they consume is kept apart until `#take`. */
  #after(from: Fold | undefined, entries: readonly Entry[], state?: Value): Fold {
    // A fold of a group goes on with the set that it began.
    const before = from && from === this.#fold ? { ...from, consumed: new Set<string>() } : from
    const fold = entries.reduce<Fold | undefined>((at, entry) => foldEntry(at, entry, state), before)
    assert(fold !== undefined, 'an append ended without a fold')
    return fold
  }

  #take(appending: Appending, fold: Fold): void {
    const consumed = this.#fold?.consumed ?? new Set()
    for (const id of fold.consumed) consumed.add(id)
    this.#fold = { ...fold, consumed }
    for (const listener of this.#listeners) listener(appending, this.#fold)
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work)
    this.#tail = done.catch(() => undefined)
    return done
  }
}

/** A fold of a group with all that was consumed: it collects only what the group does. */
function whole(base: Fold | undefined, fold: Fold | undefined): Fold | undefined {
  if (base === undefined || fold === undefined || fold.consumed.size === 0 || fold === base) return fold
  return { ...fold, consumed: new Set([...base.consumed, ...fold.consumed]) }
}

function entriesOf(sealed: readonly Sealed[]): readonly Entry[] {
  return sealed.map(({ entry }) => entry)
}

/** Fetches the body of an entry when it stands in a blob, and checks its hash. Rejects with `blob_missing`. */
export async function resolveEntry(
  stored: StoredEntry & { readonly digest: Digest },
  blobs: Pick<Blobs, 'get'>,
): Promise<Entry> {
  if (stored.bodyBlob === undefined) return stored as unknown as Entry
  const bytes = await blobs.get(stored.run, stored.bodyBlob)
  if (bytes === undefined) {
    throw new WaystoneError(
      'blob_missing',
      `entry ${String(stored.seq)} of run ${stored.run} needs blob ${stored.bodyBlob}, which is not here`,
      {
        run: stored.run,
        details: { hashes: [stored.bodyBlob] },
        actions: ['reload'],
      },
    )
  }
  if (digestBytes(bytes) !== stored.bodyBlob) {
    throw new WaystoneError(
      'log_damaged',
      `blob ${stored.bodyBlob} of run ${stored.run} does not have the bytes its name says`,
      { run: stored.run },
    )
  }
  return { ...stored, body: JSON.parse(fromUtf8(bytes)) as Bodies[EntryKind] } as unknown as Entry
}

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
