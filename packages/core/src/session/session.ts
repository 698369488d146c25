import { callListener } from '../call-listener.ts'
import { isWaystoneError, WaystoneError } from '../errors.ts'
import { parseRunId, type Digest, type RunId } from '../ids.ts'
import { InOrder } from '../in-order.ts'
import { limits } from '../limits.ts'
import { listen } from '../listen.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Damage } from '../log/damage.ts'
import type { Entry } from '../log/entry.ts'
import { exportOf, type RunExport } from '../log/export-run.ts'
import type { Fold } from '../log/fold.ts'
import type { Head } from '../ports/log-store.ts'
import type { SyncState } from '../ports/watch.ts'
import { cloneValue, type Value } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import { createDraft } from '../state/draft.ts'
import { checkpointsOf, type ListOptions, type SessionCheckpoint } from './checkpoint-list.ts'
import { entryReader } from './entry-reader.ts'
import { forkDrafts } from './fork-drafts.ts'
import { ForkNews, type SetAsideState } from './fork-news.ts'
import { KeyedRecords, type KeyedRecord, type RangeOptions } from './keyed-records.ts'
import { parseSeq } from './options.ts'
import { PutQueue, type RecordChange } from './put-queue.ts'
import { commitDraft, labelDraft, migrateDraft, newRun, rewindDraft } from './session-entries.ts'
import type { SessionHost, Writing } from './session-host.ts'
import type { LoadedSession, SessionView } from './session-view.ts'
import { Values } from './values.ts'
import { Versions } from './versions.ts'

/** What was set aside because somebody else had written: nothing of it is lost until it is dropped. */
export interface ForkedSession<State> {
  /** Where the entries that were set aside lead. */
  readonly mine: State
  /** What the session is now. */
  readonly theirs: State
  /** Where the two parted; undefined when they have nothing in common. */
  readonly base: State | undefined
  /** The keyed records that belong to `mine`. */
  readonly records: KeyedRecords
  /** Makes it a session of its own. */
  keep(options?: { readonly id?: string }): Promise<Session<State>>
  /** Forgets it for ever: it is told no more. */
  drop(): Promise<void>
}

/** A log with a state and keyed records, for people who have their own loop. Open one with `openSession`. */
export class Session<State> {
  readonly id: RunId
  readonly #host: SessionHost
  readonly #versions: Versions
  readonly #puts: PutQueue
  readonly #forkNews: ForkNews
  readonly #listeners = new Set<(view: SessionView<State>) => void>()
  readonly #begin: (id: string, drafts: readonly EntryDraft[]) => Promise<Session<State>>
  readonly #stop: () => void
  #values: Values
  #view: SessionView<State> | undefined
  #state: Value
  /** Updates, one after the other. */
  readonly #updates = new InOrder()
  /** How often somebody else has changed the state. */
  #foreign = 0

  /** `begin` opens another session of the same options, new with these entries. */
  constructor(
    host: SessionHost,
    begin: (id: string, drafts: readonly EntryDraft[]) => Promise<Session<State>>,
  ) {
    this.id = host.run
    this.#host = host
    this.#begin = begin
    this.#versions = new Versions(host.setup)
    this.#state = this.#versions.stateOf(host.log.mustFold())
    this.#values = this.#newValues()
    this.#puts = new PutQueue({
      by: host.by,
      values: () => this.#values,
      write: (plan) => host.write(plan),
    })
    this.#forkNews = new ForkNews(host)
    this.#stop = host.listen((entries) => this.#onEntries(entries))
    host.onReplaced(() => this.#onReplaced())
  }

  /**
   * The state as it was last committed; it must not be changed. One that a newer version of the code has written is not
   * shown: writes reject with `version_skew`.
   */
  get state(): State {
    return this.#state as State
  }

  /** `reader`: another device owns the session. */
  get role(): 'writer' | 'reader' {
    return this.#host.isWriter ? 'writer' : 'reader'
  }

  /** How the edge has the session. */
  get sync(): SyncState {
    return this.#host.sync
  }

  /** The last entry. */
  get head(): Head {
    return this.#host.log.mustFold().head
  }

  /** The checkpoint of another session that this one was forked from. */
  get from(): { readonly run: RunId; readonly seq: number; readonly digest: Digest } | undefined {
    return this.#host.log.mustFold().from
  }

  /** What was found damaged when the session was opened, and set aside. */
  get damage(): Damage | undefined {
    return this.#host.log.damage
  }

  /**
   * Changes the state: `recipe` gets a draft of what the update before has left, and may be asynchronous; what it returns
   * counts for nothing. Resolves with the new state when that is durable. When another tab is faster it is called again
   * with a draft of what that one made. It must not wait for another update of its session. Rejects with what `recipe`
   * throws, `value_refused`, and as every write: `not_owner`, `head_moved`, `version_skew`, `closed`, `unreachable` when
   * the session has to be claimed, and errors of the store. Then nothing is stored.
   */
  update(recipe: (draft: State) => unknown): Promise<State> {
    return this.#updates.run(async () => {
      let next: Value
      await this.#host.write(async (fold) => {
        const base = this.#versions.stateOf(fold)
        const { draft, finish } = createDraft(base)
        await recipe(draft as State)
        next = finish()
        return { ...this.#saving(fold, base, next), state: next }
      })
      return next as State
    })
  }

  /**
   * Replaces the state by a plain one, of which what differs is stored; the caller keeps it. Rejects with `head_moved`
   * when somebody else has changed the state since this was called, and as `update` does.
   */
  async save(state: State): Promise<void> {
    const next = cloneValue(state, { where: 'state' }) as Value
    const foreign = this.#foreign
    await this.#updates.run(() =>
      this.#host.write((fold) => {
        if (this.#foreign !== foreign) throw this.#changedByOthers()
        return this.#saving(fold, this.#versions.stateOf(fold), next)
      }),
    )
  }

  /** The session as it was after entry `seq`. Rejects with `input_refused`, `checkpoint_gone`, `version_skew`. */
  async load({ seq }: { readonly seq: number }): Promise<LoadedSession<State>> {
    const fold = await this.#host.log.foldAt(parseSeq(seq))
    const state = new Versions(this.#host.setup).stateOf(fold) as State
    return {
      ...fold.head,
      time: fold.updated,
      state,
      records: new KeyedRecords(fold.keys, this.#values),
    }
  }

  /** Checkpoints, newest first: entries that changed something, and labels. Rejects with `input_refused`. */
  list(options: ListOptions = {}): Promise<readonly SessionCheckpoint[]> {
    return checkpointsOf(this.#host.log, options)
  }

  /** Names the session as it is now: a checkpoint that retention keeps. Rejects as every write does. */
  async label(name: string): Promise<void> {
    if (typeof name !== 'string' || name === '' || name.length > limits.nameCharsMax) {
      const expected = `a label is a string of 1 to ${String(limits.nameCharsMax)} characters`
      throw new WaystoneError('input_refused', expected, { run: this.id })
    }
    await this.#host.write(() => ({ drafts: [labelDraft(name, this.#host.by)], fits: () => true }))
  }

  /**
   * A new session from the one after entry `seq` (default: now), with its keyed records; this one stays as it is. With an
   * `id` it can be called again: it is one fork. Rejects with `run_exists` for the id of something else, and as `load`.
   */
  async fork(options: { readonly seq?: number; readonly id?: string } = {}): Promise<Session<State>> {
    const { log } = this.#host
    const fold = options.seq === undefined ? log.mustFold() : await log.foldAt(parseSeq(options.seq))
    return this.#forkOf(fold, this.#values, options.id)
  }

  /** The same session back as it was after entry `seq`, by an entry: nothing is erased. Rejects as `load` and `update` do. */
  async rewind({ seq }: { readonly seq: number }): Promise<void> {
    parseSeq(seq)
    await this.#updates.run(() =>
      this.#host.write(async (fold) => {
        const target = await this.#host.log.foldAt(seq)
        await this.#host.checkValues(target)
        const { by, setup } = this.#host
        return { drafts: [rewindDraft(fold, target, by, setup.me)], fits: isSameState(fold) }
      }),
    )
  }

  /**
   * Puts a record. With `like`, a key whose current value is nearly this one, only what differs is stored. Puts are
   * applied in the order of the calls. Rejects with `input_refused`, `value_refused`, `too_large`, and as every write.
   */
  put(key: string, value: unknown, options: { readonly like?: string } = {}): Promise<void> {
    return this.putAll([{ key, value, ...options }])
  }

  /** Puts and deletes records, all of them or none. `like` means values of before. Rejects as `put` does. */
  async putAll(changes: Iterable<RecordChange>): Promise<void> {
    await this.#puts.put(changes)
  }

  /** Deletes a record; one that is not there is none, too. Rejects as every write does. */
  delete(key: string): Promise<void> {
    return this.putAll([{ key, delete: true }])
  }

  /** The value of a key, which the caller owns; undefined when it has none. Rejects as `KeyedRecords.get` does. */
  async get(key: string): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.records().get(key)
      } catch (error) {
        // Entries were set aside while it was read: it is another log now.
        if (!isWaystoneError(error, 'head_moved') || tries >= limits.writeTriesMax) throw error
      }
    }
  }

  /** Records in the order of their keys, as they are now; each value is read when it is its turn. */
  range(options: RangeOptions = {}): AsyncGenerator<KeyedRecord, void> {
    return this.records().range(options)
  }

  /** The keyed records as they are now. */
  records(): KeyedRecords {
    return new KeyedRecords(this.#host.log.mustFold().keys, this.#values)
  }

  /**
   * Makes this device the owner. Rejects with `unreachable`, `move_refused`, `not_owner` without an edge, `version_skew`
   * for a session of a newer version: then the owner stays.
   */
  claim(): Promise<void> {
    return this.#host.claim()
  }

  /**
   * Takes what other tabs have stored and, if it can be reached, what the edge has. Resolves when `onForked` has told what
   * was set aside by that.
   */
  async refresh(): Promise<void> {
    await this.#host.refresh()
    await this.#forkNews.settle()
  }

  /** Resolves when the edge has all of now: never while there is no network, and not after the signal. At once without an edge. */
  synced(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#host.synced(options.signal)
  }

  /** Hears the session at once, and after every change. Returns how to stop. */
  subscribe(listener: (view: SessionView<State>) => void): () => void {
    const stop = listen(this.#listeners, listener)
    callListener(listener, this.#viewNow())
    return stop
  }

  /** Hears what was set aside, and has not been dropped, once: also what was in earlier lives. Returns how to stop. */
  onForked(listener: (forked: ForkedSession<State>) => void): () => void {
    return this.#forkNews.listen((state) => {
      const forked = this.#forked(state)
      callListener(listener, forked)
    })
  }

  /** The session as it is now, to be kept as files; see `RunExport`. */
  export(): RunExport {
    const { log, blobs } = this.#host
    return exportOf({ fold: log.mustFold(), lines: (from) => log.lines(from), blobs })
  }

  /** Stops; resolves when what was stored last is durable. What waits rejects with `closed`. The storage stays open. */
  async close(): Promise<void> {
    this.#stop()
    this.#listeners.clear()
    this.#forkNews.close()
    await this.#host.close()
  }

  #saving(fold: Fold, base: Value, next: Value): Writing {
    const { version } = this.#host.setup
    const delta = diff(base, next)
    const drafts: EntryDraft[] = []
    if (fold.identity.version !== version) drafts.push(migrateDraft(fold, diff(fold.state, base), version))
    if (delta.length > 0) drafts.push(commitDraft(fold, delta, this.#host.by, version))
    return { drafts, fits: isSameState(fold) }
  }

  async #forkOf(fold: Fold, values: Values, id: string | undefined): Promise<Session<State>> {
    const { setup, by } = this.#host
    const run = id === undefined ? newRun(setup) : parseRunId(id)
    return this.#begin(run, await forkDrafts(setup, fold, { values, by }))
  }

  #forked({ mine, base, entryAt, drop }: SetAsideState): ForkedSession<State> {
    const stateOf = (fold: Fold): State => new Versions(this.#host.setup).stateOf(fold) as State
    const values = new Values(this.id, entryAt)
    return {
      mine: stateOf(mine),
      theirs: this.state,
      base: base && stateOf(base),
      records: new KeyedRecords(mine.keys, values),
      keep: (options = {}) => this.#forkOf(mine, values, options.id),
      drop,
    }
  }

  #onEntries(entries: readonly Entry[]): void {
    const { by } = this.#host
    for (const { kind, body } of entries) {
      if (kind === 'commit' && body.by !== by) this.#foreign += 1
      if (kind === 'rewind' && body.id !== by) this.#foreign += 1
    }
    this.#show()
  }

  #onReplaced(): void {
    this.#foreign += 1
    this.#values.retire()
    this.#values = this.#newValues()
    this.#show()
    void this.#forkNews.tell()
  }

  #show(): void {
    try {
      this.#state = this.#versions.stateOf(this.#host.log.mustFold())
    } catch {
      // Written by newer code: writes say so.
    }
    this.#view = undefined
    for (const listener of this.#listeners) callListener(listener, this.#viewNow())
  }

  #viewNow(): SessionView<State> {
    this.#view ??= { state: this.state, head: this.head, role: this.role, sync: this.sync }
    return this.#view
  }

  #newValues(): Values {
    return new Values(this.id, entryReader(this.#host.log, this.#host.setup))
  }

  #changedByOthers(): WaystoneError {
    return new WaystoneError(
      'head_moved',
      `session ${this.id} was not saved: somebody else has changed its state meanwhile. Look at \`state\` and save again, or use \`update\``,
      { run: this.id, actions: ['reload'] },
    )
  }
}

function isSameState({ state, turn, identity }: Fold): (now: Fold) => boolean {
  return (now) =>
    Object.is(now.state, state) && now.turn === turn && now.identity.version === identity.version
}
