import { callListener } from '../call-listener.ts'
import { isWaystoneError, WaystoneError } from '../errors.ts'
import { newId, type RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import { listen } from '../listen.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import type { Fold } from '../log/fold.ts'
import { oldestIn } from '../log/key-index.ts'
import { RunLog } from '../log/run-log.ts'
import { snapshotDue } from '../log/retention.ts'
import { Snapshotter } from '../log/snapshotter.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import type { SyncState } from '../ports/watch.ts'
import type { Value } from '../state/codec.ts'
import { bringOthers } from './left-sessions.ts'
import type { SessionSetup } from './options.ts'
import { SessionEdge } from './session-edge.ts'
import { SessionLock } from './session-lock.ts'
import { sessionPorts } from './session-ports.ts'

/** What a write makes of a session as it is. */
export interface Writing {
  readonly drafts: readonly EntryDraft[]
  /** What the state becomes, for those who know it. */
  readonly state?: Value
  /** False when the session is no longer one that the drafts were made for. */
  fits(now: Fold): boolean
}

/** One session at one host: its log, what keeps it at the edge, and the only way to write it. */
export class SessionHost {
  readonly log: RunLog
  readonly setup: SessionSetup
  readonly blobs: Blobs
  /** Tells the entries of this host from those of others. */
  readonly by: string
  readonly #closed = new AbortController()
  readonly #listeners = new Set<(entries: readonly Entry[]) => void>()
  readonly #replacedListeners = new Set<() => void>()
  readonly #edge: SessionEdge | undefined
  readonly #stop: (() => void)[] = []
  readonly #lock: SessionLock
  readonly #snapshotter: Snapshotter
  /** This host has the lock, to make snapshots and let go of what is not kept. */
  #isTidying = false

  private constructor(log: RunLog, setup: SessionSetup, blobs: Blobs, lock: SessionLock) {
    this.log = log
    this.setup = setup
    this.blobs = blobs
    this.by = newId(setup.random).slice(0, 8)
    const { edge } = setup
    const ports = { log, setup, grown: () => this.#tellTabs(), changed: () => this.#changed([]) }
    this.#edge = edge && new SessionEdge({ ...ports, edge })
    this.#lock = lock
    this.#snapshotter = this.#newSnapshotter()
    this.#stop.push(
      () => this.#snapshotter.close(),
      log.listen(({ entries, lines }, fold) => {
        if (entries.at(-1)?.owner === setup.me) this.#edge?.appended(fold.head, lines)
        else this.#edge?.received(fold.head)
        this.#changed(entries)
        const isTidied = entries.some(({ kind }) => kind === 'snapshot')
        if (isTidied || snapshotDue(fold, () => undefined)) void this.#tidy().catch(() => undefined)
      }),
      log.onReplaced(() => {
        this.#tellTabs()
        for (const listener of this.#replacedListeners) callListener(listener)
        this.#changed([])
      }),
    )
  }

  /** Opens what the store has of a session, and the edge if it can be reached: which may be nothing. */
  static async open(setup: SessionSetup): Promise<SessionHost> {
    const { storage, clock, run, locks } = setup
    const lock = new SessionLock({ name: `waystone:${run}`, locks, clock })
    const guarded = { ...storage, snapshots: removedAlone(storage.snapshots, lock) }
    const ports = sessionPorts(setup, guarded)
    const host = new SessionHost(await RunLog.open(run, ports), setup, ports.blobs, lock)
    await host.#edge?.reach()
    return host
  }

  /** Follows what others do. */
  begin(): void {
    const { channel } = this.setup
    if (channel) this.#stop.push(channel.listen((message) => this.#onTab(message)))
    if (channel?.onMissed) this.#stop.push(channel.onMissed(() => void this.refresh().catch(() => undefined)))
    this.#edge?.begin()
    this.#stop.push(bringOthers(this.setup))
  }

  get run(): RunId {
    return this.setup.run
  }

  get isWriter(): boolean {
    return this.log.fold?.owner === this.setup.me
  }

  get sync(): SyncState {
    return this.#edge?.state ?? { online: false, synced: undefined }
  }

  /** Hears entries after they are durable, and with none that something else has changed. Returns how to stop. */
  listen(listener: (entries: readonly Entry[]) => void): () => void {
    return listen(this.#listeners, listener)
  }

  /** Hears that entries were set aside. Returns how to stop. */
  onReplaced(listener: () => void): () => void {
    return listen(this.#replacedListeners, listener)
  }

  /**
   * Appends what `plan` makes of the session as it is; again on what it is then, when somebody else was faster. Rejects
   * with `not_owner`, `head_moved` when others are faster again and again, `closed`, with what a claim rejects with, and
   * with what `plan` and the store do: then nothing is stored.
   */
  async write(plan: (fold: Fold) => Writing | Promise<Writing>): Promise<readonly Entry[]> {
    for (let tries = 1; ; tries += 1) {
      // Another tab must not let go of a value that is about to be named.
      const letGo = tries > 1 || this.setup.retention ? await this.#lock.take() : undefined
      try {
        await this.#mayWrite()
        const writing = await plan(this.log.mustFold())
        this.#mustBeOpen()
        const entries = await this.#append(writing)
        if (entries) return entries
      } finally {
        letGo?.()
      }
      if (tries >= limits.writeTriesMax) throw this.#othersFaster(tries)
      await this.log.catchUp()
    }
  }

  /** Makes this device the owner. Rejects with `not_owner` without an edge, and as `SessionEdge.claim` does. */
  async claim(): Promise<void> {
    this.#mustBeOpen()
    if (this.isWriter) return
    if (!this.#edge) throw this.#notOwner()
    await this.#edge.claim()
  }

  /** Takes what other tabs have stored and, when it can be reached, what the edge has. */
  async refresh(): Promise<void> {
    this.#mustBeOpen()
    await this.log.catchUp()
    await this.#edge?.reach()
  }

  /** Resolves when the edge has what is here now. */
  async synced(signal?: AbortSignal): Promise<void> {
    this.#mustBeOpen()
    await this.#edge?.confirm(signal)
  }

  /** Rejects with `checkpoint_gone` when keyed values that were there at a checkpoint are not kept anywhere. */
  async checkValues({ keys, head }: Fold): Promise<void> {
    const oldest = oldestIn(keys)
    if (oldest === Infinity || this.#edge || ((await this.log.reader.first()) ?? 0) <= oldest) return
    throw new WaystoneError(
      'checkpoint_gone',
      `keyed values that session ${this.run} had at entry ${String(head.seq)} were let go`,
      { run: this.run },
    )
  }

  /** Stops everything; resolves when nothing will be appended any more. */
  async close(): Promise<void> {
    this.#closed.abort()
    this.#lock.close()
    for (const stop of this.#stop) stop()
    this.#listeners.clear()
    this.#replacedListeners.clear()
    this.#edge?.close()
    await this.log.append(this.setup.me, () => [])
    // What cannot be written down is looked at when another session is opened.
    if (this.#edge?.hasAll && this.isWriter) await this.log.settle().catch(() => undefined)
  }

  /** Undefined when the session is no longer what the drafts were made for. */
  async #append({ drafts, state, fits }: Writing): Promise<readonly Entry[] | undefined> {
    const { me } = this.setup
    let isFit = true
    try {
      const make = (now: Fold | undefined): readonly EntryDraft[] => {
        isFit = now?.owner === me && fits(now)
        return isFit ? drafts : []
      }
      const entries = drafts.length === 0 ? [] : await this.log.append(me, make, { state })
      if (entries.length > 0) this.#tellTabs()
      return isFit ? entries : undefined
    } catch (error) {
      if (isWaystoneError(error, 'head_moved')) return undefined
      throw error
    }
  }

  async #mayWrite(): Promise<void> {
    this.#mustBeOpen()
    if (this.isWriter) return
    if (this.setup.claim === 'ask') throw this.#notOwner()
    await this.claim()
  }

  #newSnapshotter(): Snapshotter {
    const { me, storage, clock, retention, edge } = this.setup
    return new Snapshotter(this.log, {
      me,
      blobs: this.blobs,
      snapshots: storage.snapshots,
      tails: storage.tails,
      clock,
      mayAppend: () => this.isWriter && this.#isTidying && this.#lock.isHeld,
      mayLetGo: () => this.#isTidying && this.#lock.isAlone,
      retention: () => retention,
      synced: () => (edge ? (this.sync.synced?.seq ?? -1) : Infinity),
    })
  }

  /**
   * Makes snapshots and lets go of what is not kept, one tab at a time: another one could let go of chunks that a snapshot
   * counts on. What cannot be done now is after the next entries.
   */
  async #tidy(): Promise<void> {
    if (this.#isTidying) return
    const letGo = await this.#lock.take()
    this.#isTidying = this.#lock.isHeld
    try {
      if (!this.#isTidying) return
      // What another tab has made meanwhile is not made again.
      await this.log.catchUp()
      await this.#snapshotter.settle()
    } finally {
      this.#isTidying = false
      letGo()
    }
  }

  #onTab(message: unknown): void {
    const { type, run } = (message ?? {}) as { readonly type?: unknown; readonly run?: unknown }
    if (type === 'appended' && run === this.run) void this.log.catchUp().catch(() => undefined)
  }

  /** What is not heard is found by the next write. */
  #tellTabs(): void {
    this.setup.channel?.post({ type: 'appended', run: this.run })
  }

  #changed(entries: readonly Entry[]): void {
    for (const listener of this.#listeners) callListener(listener, entries)
  }

  #mustBeOpen(): void {
    if (this.#closed.signal.aborted)
      throw new WaystoneError('closed', `session ${this.run} was closed: open it again`, { run: this.run })
  }

  #notOwner(): WaystoneError {
    const { me, edge } = this.setup
    const { owner } = this.log.mustFold()
    const how = edge ? 'claim it first' : 'to claim it, open it with an edge'
    return new WaystoneError('not_owner', `session ${this.run} is owned by ${owner}, not by ${me}: ${how}`, {
      run: this.run,
      details: { owner },
      actions: edge ? ['move'] : ['fork'],
    })
  }

  #othersFaster(tries: number): WaystoneError {
    return new WaystoneError(
      'head_moved',
      `session ${this.run} was written by others again and again: gave up after ${String(tries)} attempts`,
      { run: this.run, actions: ['retry'] },
    )
  }
}

/**
 * Snapshots of which none is removed, and so none of the blobs that only they need, once another tab may have stopped
 * waiting for the lock: it is tried again later.
 */
function removedAlone(snapshots: Snapshots, lock: SessionLock): Snapshots {
  return {
    put: (...args) => snapshots.put(...args),
    list: (run) => snapshots.list(run),
    get: (run, at) => snapshots.get(run, at),
    async remove(run, ats) {
      if (!lock.isAlone)
        throw new WaystoneError('cancelled', `other tabs may write session ${run}: nothing is removed now`)
      await snapshots.remove(run, ats)
    },
  }
}
