import { isWaystoneError, toWire, WaystoneError, type WireError } from '../errors.ts'
import { newId, type Digest, type RunId } from '../ids.ts'
import { budgetOf, type BudgetOption } from '../engine/budget-of.ts'
import { partsOf, readArtifact, type Artifact, type ByteRange } from '../engine/artifacts.ts'
import { parseLine, verifyChain, type Entry } from '../log/entry.ts'
import { headText } from '../sync/wire.ts'
import { foldEntries, isEnded, type Fold } from '../log/fold.ts'
import {
  foldFollowed,
  foldSnapshot,
  isPassedOver,
  openedBlob,
  resolveAll,
  resolveEntry,
  type BodySource,
} from '../log/log-reader.ts'
import type { Json } from '../json.ts'
import { listen } from '../listen.ts'
import type { Cipher } from '../ports/cipher.ts'
import type { Random } from '../ports/clock.ts'
import type { Decision, InboxContent } from '../ports/inbox.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { SetAside } from '../ports/tails.ts'
import type { Head } from '../ports/log-store.ts'
import type { Live, SyncState, WatchEvent } from '../ports/watch.ts'
import { encodeValue } from '../state/codec.ts'
import type { MoveOptions, MoveTarget, RuntimeApi } from './api.ts'
import { checkpointsOf, type Checkpoint } from './checkpoints.ts'
import { callListener } from '../call-listener.ts'
import { exportOf, type RunExport } from '../log/export-run.ts'
import { turnStart } from './turn-start.ts'
import { viewOf, type RunView } from './view.ts'

/** How a person or program is named as the sender of an item; sending again with the same id is harmless. */
export interface SendOptions {
  readonly id?: string
  readonly by?: string
}

/** What a person says about an effect whose outcome is unknown: it gave this value, it is to be done again, it failed. */
export type Deciding =
  { readonly type: 'done'; readonly value: unknown } | Exclude<Decision, { readonly type: 'done' }>

/** Where a fork begins, and what it changes. */
export interface ForkOptions<State> {
  /** The entry that it begins after. Without it where the open turn began: what that has recorded is left out. */
  readonly seq?: number
  /** Chosen by the caller: forking twice with one id makes one run. */
  readonly id?: string
  readonly state?: State
  /** At entry 0 `initial` makes the state of it; later it stands beside the state, which stays as it is. */
  readonly input?: unknown
  readonly agent?: string
  /** What the fork may use from its beginning on; else it goes on with what the checkpoint had left. */
  readonly budget?: BudgetOption
}

/** A run in the hands of an application: what it shows, and what can be done with it, wherever its owner is. */
export class RunHandle<State = unknown, Result = unknown> {
  readonly id: RunId
  readonly #api: RuntimeApi
  readonly #random: Random
  readonly #cipher: Cipher | undefined
  // Of any view, so that a handle of one state fits where one of any is asked for.
  readonly #listeners = new Set<(view: never) => void>()
  #fold: Fold | undefined
  /** What came before the entries that are here. */
  #before: Fold | undefined
  /** Grows in place: a copy at each append would cost more with every entry. */
  #entries: Entry[] = []
  /** What was given of them; undefined when there are others by now. */
  #listed: readonly Entry[] | undefined
  /** Undefined when something has changed since it was made. */
  #view: RunView<State, Result> | undefined
  #viewed: RunView<State, Result> | undefined
  #live: Live = { phase: 'idle', calls: [] }
  #sync: SyncState = { online: false, synced: undefined }
  #streams: Readonly<Record<string, string>> = {}
  #watcher: number | undefined
  #work: Promise<void> = Promise.resolve()
  #failed: unknown
  /** The same, for views. */
  #unread: WireError | undefined
  #closed = false
  /** How to end those who wait in `until`. */
  readonly #waiting = new Set<() => void>()

  private constructor(run: RunId, api: RuntimeApi, random: Random, cipher: Cipher | undefined) {
    this.id = run
    this.#api = api
    this.#random = random
    this.#cipher = cipher
  }

  /**
   * Opens a run to show and steer it. One that is only at the edge is brought here. `cipher` opens encrypted ones; `seen`
   * is an entry that the edge is known to have had.
   */
  static async open<State, Result>(
    run: RunId,
    api: RuntimeApi,
    random: Random,
    { cipher, seen }: { readonly cipher?: Cipher | undefined; readonly seen?: Head | undefined } = {},
  ): Promise<RunHandle<State, Result>> {
    const handle = new RunHandle<State, Result>(run, api, random, cipher)
    const take = (event: WatchEvent): Promise<void> =>
      handle.#inOrder(
        () => handle.#take(event),
        (error) => handle.#mend(event, error),
      )
    handle.#watcher = await api.watch(run, take, ...(seen ? [seen] : []))
    await handle.#inOrder(() => handle.#catchUp())
    return handle
  }

  /**
   * What this device has seen at the edge, for the address by which somebody opens the run elsewhere: `waystone.open(run, {
   * seen })` notices an edge that has gone back since. It tells nobody what the run holds. Undefined before anything is at the edge.
   */
  seen(): string | undefined {
    const { synced } = this.#sync
    return synced && headText(synced)
  }

  /** The run as it is known now; undefined until its first entry is here. */
  view(): RunView<State, Result> | undefined {
    if (this.#view === undefined && this.#fold) {
      const around = {
        live: this.#live,
        sync: this.#sync,
        streams: this.#streams,
        unread: this.#unread,
      }
      this.#view = viewOf(this.#fold, around, this.#viewed) as RunView<State, Result>
      this.#viewed = this.#view
    }
    return this.#view
  }

  /** How the run stands with the edge; also while there is no view, such as when the edge refuses this device. */
  get sync(): SyncState {
    return this.#sync
  }

  /** The entries of the log since the newest snapshot that was there when this was opened, oldest first. */
  entries(): readonly Entry[] {
    return (this.#listed ??= [...this.#entries])
  }

  /** The checkpoints among `entries()`: to resume, fork or rewind at, with what was true then. */
  checkpoints(): readonly Checkpoint[] {
    return checkpointsOf(this.#before, this.#entries)
  }

  /** Brings the entries before those that are here, back to the snapshot before. False when there are none. */
  async loadEarlier(): Promise<boolean> {
    const before = this.#entries[0]?.seq ?? 0
    let isMore = false
    if (before > 0) await this.#inOrder(async () => void (isMore = await this.#earlier(before)))
    return isMore
  }

  /** Hears every change of the view, at once if there is one. Returns how to stop. */
  subscribe(listener: (view: RunView<State, Result>) => void): () => void {
    const stop = listen(this.#listeners, listener)
    const view = this.view()
    if (view) callListener(listener, view)
    return stop
  }

  /** Resolves with the first view that fits. Rejects with `cancelled` when the signal fires, `closed` after `close`, and with what `fits` throws. */
  until(
    fits: (view: RunView<State, Result>) => boolean,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<RunView<State, Result>> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      const over = (): void => {
        stop()
        this.#waiting.delete(onClose)
        signal?.removeEventListener('abort', onAbort)
      }
      const onClose = (): void => {
        over()
        reject(new WaystoneError('closed', `the handle of run ${this.id} was closed`, { run: this.id }))
      }
      const onAbort = (): void => {
        over()
        reject(new WaystoneError('cancelled', `waiting for run ${this.id} was given up`, { run: this.id }))
      }
      let stop = (): void => undefined
      if (this.#closed) return onClose()
      if (signal?.aborted) return onAbort()
      this.#waiting.add(onClose)
      signal?.addEventListener('abort', onAbort)
      stop = this.subscribe((view) => {
        try {
          if (!fits(view)) return
          resolve(view)
        } catch (error) {
          reject(error as Error)
        }
        // `stop` is not there yet when the first view fits.
        void Promise.resolve().then(over)
      })
    })
  }

  /** The result, once the run is done. Rejects with `run_ended` when it failed or was cancelled. */
  async result(options: { readonly signal?: AbortSignal } = {}): Promise<Result> {
    const view = await this.until(isEnded, options)
    if (view.status === 'done') return view.result as Result
    throw new WaystoneError(
      'run_ended',
      `run ${this.id} ${view.status}: ${view.reason ?? 'no reason was given'}`,
      { run: this.id, actions: ['fork'] },
    )
  }

  /**
   * Resolves when the edge has every entry of now, and at once in a Waystone without an edge. Pending, not rejected, without a
   * network. Rejects with `closed` after `close`.
   */
  async synced(): Promise<void> {
    const seq = this.view()?.head.seq ?? 0
    const { edge } = await this.#api.info()
    await this.until(({ sync }) => !edge || (sync.synced?.seq ?? -1) >= seq)
  }

  /**
   * Sends a message; the run consumes it once. Rejects with `too_large` for one of more than `limits.inboxItemBytesMax`, as
   * `answer` and `decide` do, and `request_refused` for names and ids of more than `limits.nameCharsMax` characters.
   */
  async send(name: string, value: unknown, options: SendOptions = {}): Promise<void> {
    await this.#send(
      { type: 'message', name, value: encodeValue(value, { where: `message "${name}"` }) },
      options,
    )
  }

  /** Answers an open question. Rejects with `answer_taken` when another answer was first. */
  async answer(ask: string, value: unknown, options: SendOptions = {}): Promise<void> {
    await this.#send(
      { type: 'answer', ask: ask as Digest, value: encodeValue(value, { where: 'the answer' }) },
      options,
    )
  }

  /** Ends the open turn and keeps what it has; not the run. */
  async interrupt(options: SendOptions = {}): Promise<void> {
    await this.#send({ type: 'interrupt' }, options)
  }

  /** Ends the run; with `undo` its effects are undone first, newest first, by the `undo` of each. */
  async cancel(
    reason = 'cancelled by a person',
    { undo, ...options }: SendOptions & { readonly undo?: boolean } = {},
  ): Promise<void> {
    await this.#send({ type: 'cancel', reason, ...(undo ? { undo } : {}) }, options)
  }

  /**
   * The same run back at the checkpoint after entry `seq`. Effects after it are undone first when asked for, newest
   * first; those that are not are asked about when they are reached again. Messages consumed since stay consumed. With
   * `state` the run goes on from that one, and a turn that was open there begins anew.
   */
  async rewind({
    seq,
    undo,
    state,
    ...options
  }: SendOptions & {
    readonly seq: number
    readonly undo?: boolean
    readonly state?: State
  }): Promise<void> {
    const edited = state === undefined ? {} : { state: encodeValue(state, { where: 'state' }) }
    await this.#send({ type: 'rewind', seq, ...(undo ? { undo } : {}), ...edited }, options)
  }

  /**
   * Begins the open turn of a paused run anew, with the code there is now: a rewind to where it began. Its steps run again; its
   * effects are asked about when they are reached; messages that it took stay taken. A run that has gone on meanwhile refuses
   * it, since later turns are not meant. Rejects with `input_refused` when the run is not paused, and `limit_exceeded` where
   * the turn began in another run and its state is too large to be sent.
   */
  async restart(options: SendOptions = {}): Promise<void> {
    const { status, turn } = this.#fold ?? {}
    if (status !== 'paused' || turn === undefined)
      throw new WaystoneError(
        'input_refused',
        `the turn of run ${this.id} is restarted while the run is paused, and it is ${status ?? 'not here'}: interrupt it first, or rewind`,
        { run: this.id },
      )
    await this.#send({ type: 'rewind', ...(await this.#turnStart()), turn }, options)
  }

  /**
   * Lets a paused run go on; a step that failed runs again. One that has used its budget may use as much again, or what
   * `budget` says, from there on; limits that it does not name stay.
   */
  async retry({ budget, ...options }: SendOptions & { readonly budget?: BudgetOption } = {}): Promise<void> {
    await this.#send({ type: 'retry', ...(budget ? { budget: budgetOf(budget) } : {}) }, options)
  }

  /**
   * Decides about an effect whose outcome is unknown: `view.error.details` names its start and key, and the `otherKey` that it
   * may be known by when its start was damaged. Rejects with `input_refused` for a start that is no digest.
   */
  async decide(start: string, decision: Deciding, options: SendOptions = {}): Promise<void> {
    const stored: Decision =
      decision.type === 'done'
        ? { type: 'done', value: encodeValue(decision.value, { where: 'the decided value' }) }
        : decision
    await this.#send({ type: 'decide', start: start as Digest, decision: stored }, options)
  }

  /**
   * Makes the edge, or this device, the owner: whoever has the run ends what is under way and hands it over. Rejects with
   * `move_refused` when it does not, or cannot be reached while its lease lasts: then the owner stays. Where an edge does not answer
   * at all it is `unreachable`, and of a run that is over `run_ended`.
   */
  move(to: MoveTarget, options: MoveOptions = {}): Promise<void> {
    return this.#api.move(this.id, to, options)
  }

  /** Why the run could not go on at the edge, or here, in words: to be shown before a move. Empty when it can. */
  blockers(to: MoveTarget): Promise<readonly string[]> {
    return this.#api.blockers(this.id, to)
  }

  /**
   * Starts a new run from the checkpoint after entry `seq`, or from where the open turn began; this one stays as it is.
   * Effects after the point are asked about when they are reached. With another `state` a turn that was open there begins
   * anew; `agent` names another agent that is to go on.
   */
  async fork({ seq, state, input, ...options }: ForkOptions<State> = {}): Promise<RunId> {
    return this.#api.fork(this.id, {
      ...options,
      ...(seq === undefined ? await this.#turnStart() : { seq }),
      ...(state === undefined ? {} : { state: encodeValue(state, { where: 'state' }) }),
      ...(input === undefined ? {} : { input: encodeValue(input, { where: 'input' }) }),
    })
  }

  /** The run as it is now, to be kept as files or imported elsewhere; see `RunExport`. Throws `run_unknown`. */
  export(): RunExport {
    if (this.#fold === undefined)
      throw new WaystoneError('run_unknown', `there is no run ${this.id} here`, { run: this.id })
    return exportOf({ fold: this.#fold, lines: (from) => this.#api.lines(this.id, from), blobs: this.#blobs })
  }

  /** Entries that the edge refused or that are damaged, kept verbatim, oldest first. */
  setAside(): Promise<readonly SetAside[]> {
    return this.#api.setAside(this.id)
  }

  /**
   * Keeps what was set aside under a name as a run of its own: a fork from its last sound entry, to look at, compare and go
   * on from. Effects that this run has started since are asked about when they are reached. Rejects with `checkpoint_gone`
   * when the entry that it followed is not here any more, `log_damaged` when nothing of it can be read.
   */
  keepAside(name: string, options: { readonly id?: string } = {}): Promise<RunId> {
    return this.#api.keepAside(this.id, name, options)
  }

  /** Drops what was set aside under a name, for ever. */
  dropAside(name: string): Promise<void> {
    return this.#api.dropAside(this.id, name)
  }

  /**
   * The bytes of an artifact, or of a range of it, fetched part by part. Rejects with `blob_missing` when no place in reach
   * has them.
   */
  artifact(artifact: Artifact, range?: ByteRange): Promise<Uint8Array> {
    return readArtifact({ getBlob: this.#getBlob }, artifact, range)
  }

  /** The artifacts in `view().artifacts` of which no place in reach has all bytes. */
  async missing(): Promise<readonly Artifact[]> {
    const artifacts = this.view()?.artifacts ?? []
    const found = await Promise.all(artifacts.map((artifact) => this.#isThere(artifact)))
    return artifacts.filter((_, index) => !found[index])
  }

  /** Stops hearing the run; the run itself goes on. */
  async close(): Promise<void> {
    this.#closed = true
    this.#listeners.clear()
    for (const end of [...this.#waiting]) end()
    if (this.#watcher !== undefined) await this.#api.unwatch(this.#watcher)
  }

  /** Why this handle could not follow its run, if so. */
  get error(): unknown {
    return this.#failed
  }

  /** Where the open turn began. Where that is not in this log any more, or never was, the state it began with is. */
  async #turnStart(): Promise<{ readonly seq: number; readonly state?: Json }> {
    for (;;) {
      const found = turnStart(this.#entries)
      if (typeof found === 'number') return { seq: found }
      if (found === 'carried' || !(await this.loadEarlier())) break
    }
    if (this.#fold === undefined)
      throw new WaystoneError('run_unknown', `there is no run ${this.id} here`, { run: this.id })
    return { seq: this.#fold.head.seq, state: encodeValue(this.#fold.state, { where: 'state' }) }
  }

  async #send(content: InboxContent, options: SendOptions): Promise<void> {
    await this.#api.send(this.id, content, { ...options, id: options.id ?? newId(this.#random) })
  }

  async #take(event: WatchEvent): Promise<void> {
    switch (event.type) {
      case 'lines': {
        const next = (this.#fold?.head.seq ?? -1) + 1
        // Some of them may be here already, from a page that was read while they were told.
        const fresh = event.lines.slice(Math.max(0, next - event.from))
        if (event.from > next) await this.#catchUp()
        else if (fresh.length > 0) await this.#add(fresh)
        break
      }
      case 'replaced':
        await this.#readAnew()
        break
      case 'stream': {
        const before =
          this.#streams[event.stream] ??
          (event.at > 0 ? (await this.#api.stream(this.id, event.stream)).text : '')
        // Text was loaded while words of it were on their way here: they take nothing back. No text at all does.
        if (event.text !== '' && before.startsWith(event.text, event.at)) break
        this.#streams = { ...this.#streams, [event.stream]: before.slice(0, event.at) + event.text }
        break
      }
      case 'live':
        this.#live = event.live
        await this.#loadStreams(event.live)
        break
      case 'sync':
        this.#sync = event.sync
        break
      case 'inbox':
        return
    }
    this.#changed()
  }

  /** After an event could not be taken. Lines that do not follow may be of another log, of which nothing was heard. */
  async #mend({ type }: WatchEvent, error: unknown): Promise<void> {
    this.#failed = error
    if (type !== 'lines' && type !== 'replaced') return
    try {
      await this.#readAnew()
    } catch (failure) {
      this.#failed = failure
      this.#unread = toWire(failure)
      this.#changed()
    }
  }

  /** What cannot be read anew is shown as it was. */
  async #readAnew(): Promise<void> {
    const [fold, before, entries] = [this.#fold, this.#before, this.#entries]
    this.#fold = undefined
    this.#before = undefined
    this.#entries = []
    this.#listed = undefined
    try {
      await this.#catchUp()
    } catch (error) {
      this.#fold = fold
      this.#before = before
      this.#entries = entries
      this.#listed = undefined
      throw error
    }
  }

  /** Text that was written before this handle was opened. */
  async #loadStreams(live: Live): Promise<void> {
    for (const { path, kind } of live.calls) {
      if (kind !== 'stream' || this.#streams[path] !== undefined) continue
      const { text } = await this.#api.stream(this.id, path)
      if (text !== '') this.#streams = { ...this.#streams, [path]: text }
    }
  }

  async #isThere(artifact: Artifact): Promise<boolean> {
    try {
      const parts = await partsOf({ getBlob: this.#getBlob }, artifact)
      return (await this.#api.missing(this.id, parts)).length === 0
    } catch (error) {
      if (isWaystoneError(error, 'blob_missing')) return false
      throw error
    }
  }

  readonly #getBlob = (hash: Digest): Promise<Uint8Array | undefined> =>
    openedBlob({ run: this.id, key: this.#fold?.sealedWith.at(-1) }, hash, this.#source)

  get #source(): BodySource {
    return { blobs: this.#blobs, cipher: this.#cipher }
  }

  get #blobs(): Pick<Blobs, 'get'> {
    return { get: (run, hash) => this.#api.blob(run, hash) }
  }

  /** The fold that the newest snapshot of an entry before `before` gives that can be had; undefined when none can. */
  async #snapshot(before: number): Promise<Fold | undefined> {
    for (let next: number | undefined = before; next !== undefined;) {
      const line = await this.#api.snapshot(this.id, next)
      if (line === undefined) return undefined
      const stored = parseLine(line)
      try {
        const entry = await resolveEntry(stored, this.#source)
        return entry.kind === 'snapshot' ? await foldSnapshot(entry, this.#source) : undefined
      } catch (error) {
        if (!isPassedOver(error)) throw error
        next = (stored.body as { readonly at?: { readonly seq: number } } | undefined)?.at?.seq
      }
    }
    return undefined
  }

  async #earlier(before: number): Promise<boolean> {
    const fold = await this.#snapshot(before - 1)
    const entries: Entry[] = []
    for (let next = (fold?.head.seq ?? -1) + 1; next < before; next = (entries.at(-1)?.seq ?? before) + 1) {
      const page = await this.#api.lines(this.id, next)
      const stored = page.map(parseLine).filter(({ seq }) => seq < before)
      if (stored.length === 0) break
      entries.push(...(await resolveAll(stored, this.#source)))
    }
    // What was let go in between leaves nothing to show before the entries that are here.
    if (entries.length === 0 || entries.at(-1)?.seq !== before - 1) return false
    this.#before = entries[0]?.seq === (fold?.head.seq ?? -1) + 1 ? fold : undefined
    this.#entries = [...entries, ...this.#entries]
    this.#listed = undefined
    this.#changed()
    return true
  }

  async #catchUp(): Promise<void> {
    let unread: unknown
    if (this.#fold === undefined) {
      this.#before = await this.#snapshot(Infinity).catch((error: unknown) => void (unread = error))
      this.#fold = this.#before
    }
    for (;;) {
      const lines = await this.#api.lines(this.id, (this.#fold?.head.seq ?? -1) + 1)
      const [first] = lines
      if (first === undefined) break
      if (this.#fold === undefined && parseLine(first).seq > 0) {
        // Without its snapshot a log that begins later tells nothing: it is not damaged, it could not be read.
        if (unread !== undefined) throw unread
        // Whoever stores it may not have put that snapshot yet where those are looked for.
        this.#before = await foldFollowed(parseLine(first).prev, lines, this.#source)
        this.#fold = this.#before
      }
      await this.#add(lines)
    }
    this.#isRead()
    this.#changed()
  }

  async #add(lines: readonly Uint8Array[]): Promise<void> {
    const stored = verifyChain(this.id, this.#fold?.head, lines)
    const entries = await resolveAll(stored, this.#source)
    this.#fold = foldEntries(this.#fold, entries)
    for (const entry of entries) this.#entries.push(entry)
    this.#listed = undefined
    if (entries.some(({ kind }) => kind === 'commit' || kind === 'rewind')) this.#streams = {}
    this.#isRead()
  }

  #isRead(): void {
    this.#failed = undefined
    this.#unread = undefined
  }

  #changed(): void {
    this.#view = undefined
    const view = this.view()
    if (view)
      for (const listener of [...this.#listeners])
        callListener(listener as (view: RunView<State, Result>) => void, view)
  }

  /** `failed` must not throw. */
  #inOrder(
    work: () => Promise<void>,
    failed: (error: unknown) => Promise<void> | void = (error) => void (this.#failed = error),
  ): Promise<void> {
    this.#work = this.#work.then(work).catch(failed)
    return this.#work
  }
}
