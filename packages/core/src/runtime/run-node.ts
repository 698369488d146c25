import { isWaystoneError, WaystoneError } from '../errors.ts'
import { edgeOwner, type Digest, type OwnerId, type RunId } from '../ids.ts'
import type { AnyAgent } from '../engine/agent.ts'
import type { Breakers } from '../engine/breakers.ts'
import type { Rehearsal } from '../engine/rehearsal.ts'
import { within } from '../engine/in-time.ts'
import { retentionHere } from '../engine/retention-of.ts'
import { snapshotPolicyOf } from '../engine/snapshot-policy-of.ts'
import type { Children } from '../engine/run-child.ts'
import { limits } from '../limits.ts'
import type { EntryDraft } from '../log/bodies.ts'
import { parseLine, type Entry } from '../log/entry.ts'
import { isEnded, type Fold } from '../log/fold.ts'
import { headOfLine } from '../log/plan-append.ts'
import { shownEvent } from '../log/public-body.ts'
import { RunLog } from '../log/run-log.ts'
import { isSession, sessionIsNoRun } from '../log/session-agent.ts'
import { Snapshotter } from '../log/snapshotter.ts'
import { writtenBy, type Software } from '../log/written.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Channel } from '../ports/channel.ts'
import type { Encryption } from '../ports/cipher.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Lock, Locks } from '../ports/locks.ts'
import type { Inbox, InboxItem } from '../ports/inbox.ts'
import type { Head, Place } from '../ports/log-store.ts'
import type { Follow } from '../ports/remote.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { SetAside } from '../ports/tails.ts'
import type { Live, SyncState, WatchEvent } from '../ports/watch.ts'
import { Waker } from '../waker.ts'
import { blockersOf, rehearse, type Rehearsed, type Target } from './blockers.ts'
import { damagePause } from './damage-pause.ts'
import { callListener } from '../call-listener.ts'
import { InOrder } from '../in-order.ts'
import { InboxCourier } from './inbox-courier.ts'
import { logPorts } from '../sync/log-ports.ts'
import { handOver, moveHere, moveToEdge, sendToEdge } from './mover.ts'
import { openStreams, turnOfStream } from './open-turn.ts'
import { RunHost } from './run-host.ts'
import { sealedForOwner } from './sealed-items.ts'
import { isPressing } from '../sync/pressing.ts'
import type { SyncPolicy } from '../sync/step.ts'
import { Syncer, type EarlyPull, type Edge } from '../sync/syncer.ts'
import { throttled } from './throttled.ts'
import type { TabMessage } from './tab-message.ts'

/** What a runtime and its runs work with. */
export interface RuntimePorts extends RunStorage {
  readonly me: OwnerId
  readonly place: Place
  readonly clock: Clock
  readonly random: Random
  readonly locks: Locks
  readonly channel: Channel
  /** Absent: everything stays on this device. */
  readonly edge?: Edge
  /** With it the runs that start here are encrypted, and those that are can be read. */
  readonly encryption?: Encryption | undefined
  readonly agents: readonly AnyAgent[]
  /** What this host runs in and with, for the log. */
  readonly software?: Software
  readonly breakers?: Breakers
  readonly children?: Children
  /** Resolves when the edge has the beginning of a run that is kept here, or cannot have it. */
  readonly begunAtEdge?: (run: RunId) => Promise<void>
  /** How long entries may gather before they are pushed; undefined: not at all. */
  readonly syncPolicy?: SyncPolicy
  /** Every turn is replayed before it commits, and must come to the same end. */
  readonly development?: boolean
}

/** After it has stood still a host waits this long for the edge before it goes on, in ms. */
const lookMsMax = 3_000

/** For how long what the edge has said of its head is believed when a run is opened, in ms. */
const comparedMsMax = 500

/** Steps under way may take so long to end before they begin again with other code, in ms. */
const renewMs = 2_000

/** How long entries wait for a claim that is on its way, in ms: about as long as storing them takes. */
const gatherMs = 3
/** How long a message waits for what the edge has of the inbox of a run that has just come here, in ms. */
const inboxAskMs = 5_000

/** Between two questions for the inbox of the edge, in ms. */
const inboxRetryMs = 1_000

/** What a host has before it writes. */
interface Ahead {
  readonly waiting: AbortController
  readonly locking: Promise<Lock>
  readonly tails: Promise<readonly SetAside[]>
  /** The lock is held, and nothing was ever set aside here. */
  isReady: boolean
  /** The entry that opens the run, when it is stored with the claim that brings that. */
  opened: Digest | undefined
  /** The inbox, read while the claim was stored. */
  inboxListed: Promise<readonly InboxItem[]> | undefined
}

const nothingLive: Live = { phase: 'idle', calls: [] }

/** One run on this device: writes it when it is ours and no other tab does, follows it otherwise. */
export class RunNode {
  readonly run: RunId
  readonly log: RunLog
  readonly ports: RuntimePorts
  readonly blobs: Blobs
  readonly #watchers = new Set<(event: WatchEvent) => void>()
  readonly #waker = new Waker()
  readonly #unlisten: () => void
  readonly #courier: InboxCourier
  /** One after the other: what one holds another one must not let go. */
  readonly #movesAway = new InOrder()
  #closed = new AbortController()
  #frozen = false
  /** Whether something came after it was listed for a host that begins. */
  #inboxGrew = true
  /** The run has come here, and what waits at the edge was not asked for since. */
  #inboxIsThere = false
  /** This host has opened the log for writing before. */
  #hasWritten = false
  #retryMs = 0
  #wakes = 0
  /** When the edge said what the log here was compared with, in ms since 1970. */
  #comparedAt = -Infinity
  /** Comparisons that are under way. */
  #reconciling = 0
  /** The log here may lack what the edge has. */
  #stale = true
  /** It does: the edge has said so, and nothing goes on here until that is here, too. */
  #isBehind = false
  #fresh: boolean
  /** Until the first comparison is made. */
  #early: EarlyPull | undefined
  #live: Live = nothingLive
  #sync: SyncState = { online: false, synced: undefined }
  /** Streams of another owner whose text is kept here. */
  readonly #keptStreams = new Set<string>()
  #loop: Promise<void> = Promise.resolve()
  #follow: Follow | undefined
  #waitForLock: AbortController | undefined
  readonly #snapshotter: Snapshotter
  /** Lines of the live connection that are not stored yet. */
  readonly #coming: Uint8Array[] = []
  /** Of a run that is about to come here. */
  #ahead: Ahead | undefined
  #rehearsal: Rehearsal | undefined
  host: RunHost | undefined
  syncer: Syncer | undefined

  private constructor(
    log: RunLog,
    ports: RuntimePorts,
    options: { readonly blobs: Blobs; readonly fresh: boolean; readonly early: EarlyPull | undefined },
  ) {
    const { blobs, fresh, early } = options
    this.run = log.run
    this.log = log
    this.ports = ports
    this.blobs = blobs
    this.#fresh = fresh
    this.#early = early
    this.#courier = new InboxCourier(log.run, {
      me: ports.me,
      inbox: ports.inbox,
      edge: ports.edge,
      fold: () => log.fold,
      synced: () => this.#sync.synced?.seq ?? -1,
      forOwner: (item) => sealedForOwner(ports.encryption?.cipher, log.mustFold(), item),
    })
    this.#snapshotter = new Snapshotter(log, {
      me: ports.me,
      blobs,
      snapshots: ports.snapshots,
      tails: ports.tails,
      clock: ports.clock,
      mayAppend: () => this.host?.mayAppend ?? false,
      // Not while another tab may be writing it.
      mayLetGo: () => this.writing || log.fold?.owner !== ports.me || isEnded(log.fold),
      retention: (fold) => retentionHere(fold, this.agent(fold.identity.agent)),
      policy: (fold) => snapshotPolicyOf(this.agent(fold.identity.agent)?.snapshots),
      synced: () => (ports.edge ? (this.#sync.synced?.seq ?? -1) : Infinity),
    })
    const tellTabs = throttled(ports.clock, limits.liveMsMin, () =>
      this.#post({ type: 'appended', run: this.run }),
    )
    const stopListening = log.listen(({ entries, lines }) => {
      const first = entries[0]
      if (first) this.#emit({ type: 'lines', from: first.seq, lines })
      if (entries.some(({ kind, owner }) => kind === 'claim' && owner === ports.me)) this.#inboxIsThere = true
      // What others wrote can only have come from the edge.
      if (entries.some(isTakeOver)) this.syncer?.recovered()
      if (entries.at(-1)?.owner !== ports.me) this.syncer?.received(log.mustFold().head)
      else {
        const urgent = isEnded(log.mustFold()) || entries.some(isPressing)
        const turns = entries.filter(({ kind }) => kind === 'commit').length
        this.syncer?.appended(log.mustFold().head, lines, { urgent, turns })
      }
      if (this.host) tellTabs()
      if (this.#keptStreams.size > 0) void this.#forgetStreams()
      this.#wake()
    })
    const stopReplaced = log.onReplaced((keep) => {
      this.#courier.replaced(keep)
      this.#emit({ type: 'replaced', keep })
      this.#post({ type: 'appended', run: this.run })
      this.#wake()
    })
    this.#unlisten = () => {
      this.#snapshotter.close()
      stopListening()
      stopReplaced()
    }
  }

  /** Opens a run from the store here. `fresh`: this host has just written its start entry, and so is its writer. */
  static async open(
    run: RunId,
    ports: RuntimePorts,
    options: { readonly fresh?: boolean } = {},
  ): Promise<RunNode> {
    const { fresh = false } = options
    const opening = logPorts(ports, ports.clock, ports.edge, ports.encryption)
    // Asked while the log is read, which may take as long.
    const early = ports.edge && !fresh ? await pullEarly(ports.edge, run, ports) : undefined
    const log = await RunLog.open(run, opening)
    if (log.damage && log.fold === undefined && ports.edge === undefined) {
      throw new WaystoneError(
        'log_damaged',
        `not even the beginning of run ${run} can be read: ${log.damage.reason}. Nothing of it was changed`,
        { run },
      )
    }
    if (isSession(log.fold)) throw sessionIsNoRun(run)
    return new RunNode(log, ports, { blobs: opening.blobs, fresh, early })
  }

  /** Begins to write or follow. */
  begin(): void {
    const { edge } = this.ports
    if (edge) {
      this.syncer = new Syncer(this.log, {
        me: this.ports.me,
        clock: this.ports.clock,
        local: this.ports.blobs,
        takeInbox: (items) => this.#courier.take(items),
        edge,
        early: this.#early,
        policy: this.ports.syncPolicy,
        ...(this.ports.begunAtEdge ? { childBegun: this.ports.begunAtEdge } : {}),
        lost: () => {
          this.#lost()
          this.#wake()
        },
        stopWriting: () => this.#stopWriting(),
        brought: () => this.#post({ type: 'appended', run: this.run }),
        changed: (sync) => {
          const isKnown = this.#sync.synced === undefined && sync.synced !== undefined
          this.#sync = sync
          if (isKnown) void this.#tellAgain().catch(() => undefined)
          this.#courier.synced()
          this.#emit({ type: 'sync', sync })
          this.#wake()
        },
      })
      this.#follow = edge.remote.follow(this.run, {
        as: this.ports.me,
        from: () => (this.log.fold?.head.seq ?? -1) + 1,
        onEvent: (event) => void this.#onRemote(event),
        onState: (online) => {
          if (online) void this.#cameOnline()
        },
      })
    }
    this.#post({ type: 'hello', run: this.run })
    this.#loop = this.#roles()
  }

  /** True while this host may append. */
  get writing(): boolean {
    return this.host !== undefined
  }

  /** Resolves when this host writes the run; never, should that not come, and not after the signal. */
  async untilWriting(signal: AbortSignal): Promise<void> {
    while (!this.writing && !signal.aborted) await this.#waker.next(signal)
    if (signal.aborted) await new Promise<never>(() => undefined)
  }

  /** Tells those who follow the whole text of streams, so that whoever goes on has their end. */
  async tellStreams(streams: readonly string[]): Promise<void> {
    for (const stream of streams) {
      let since: readonly { readonly at: number; readonly text: string }[] = []
      const stop = this.watch((event) => {
        if (event.type === 'stream' && event.stream === stream) since = [...since, event]
      })
      const read = await this.ports.streams.read(this.run, stream, 0).finally(stop)
      // What was told meanwhile is not taken back by what was read before it.
      const text = since.reduce((before, { at, text: more }) => before.slice(0, at) + more, read.text)
      if (text !== '') this.#tellEdge({ type: 'stream', stream, at: 0, text })
    }
  }

  /** Tells those who follow what goes on: of what was told before the edge could hear it, or knew the run, nobody knows. */
  async #tellAgain(): Promise<void> {
    const live = this.host?.live()
    if (live === undefined) return
    this.#tellEdge({ type: 'live', live })
    await this.tellStreams(openStreams(live))
  }

  /** True when the run is over, and the edge, if there is one, has all of it. */
  get isKept(): boolean {
    const { fold } = this.log
    const { synced, error } = this.#sync
    const isThere = this.ports.edge === undefined || (synced?.seq ?? -1) >= (fold?.head.seq ?? Infinity)
    return fold !== undefined && isEnded(fold) && isThere && error === undefined
  }

  /** True when the run is over, and nothing of it is left to do here. */
  get isDone(): boolean {
    return this.isKept && !this.writing && this.#courier.isIdle
  }

  /** True when somebody else has the run, and nothing of it is left to do here. */
  get isElsewhere(): boolean {
    const { fold } = this.log
    const isOthers = fold !== undefined && fold.owner !== this.ports.me
    return isOthers && !this.writing && this.#ahead === undefined && this.#courier.isIdle
  }

  /** Resolves when the edge has all of a run that is over, or something else in its place, has refused it, or is not asked any more. */
  async untilKept(): Promise<void> {
    const isOver = (): boolean => this.log.fold !== undefined && isEnded(this.log.fold)
    while (isOver() && !this.isKept && !this.closed && this.#sync.error === undefined)
      await this.#waker.next(this.closing)
  }

  /** How many hear the run. */
  get watchers(): number {
    return this.#watchers.size
  }

  /** True after `close`; `closing` fires then. */
  get closed(): boolean {
    return this.#closed.signal.aborted
  }

  get closing(): AbortSignal {
    return this.#closed.signal
  }

  get live(): Live {
    return this.#live
  }

  get sync(): SyncState {
    return this.#sync
  }

  /** Hears the run: at once what is known, then what changes. Returns how to stop. */
  watch(listener: (event: WatchEvent) => void): () => void {
    this.#watchers.add(listener)
    listener({ type: 'live', live: this.#live })
    listener({ type: 'sync', sync: this.#sync })
    return () => this.#watchers.delete(listener)
  }

  /** A message of another host of this store. */
  onTab(message: TabMessage): void {
    if (message.type === 'appended') {
      // While this host writes nobody else should: another tab has brought what the edge has instead.
      const look = this.writing ? this.#isCurrent() : this.log.catchUp()
      void look.catch(() => undefined)
    }
    if (message.type === 'inbox') this.#inboxHasMore()
    if (message.type === 'hello' && this.writing)
      this.#post({ type: 'event', run: this.run, event: { type: 'live', live: this.#live } })
    if (message.type === 'event' && !this.writing) this.#heard(message.event)
  }

  /** The inbox here has something new. */
  poke(): void {
    this.#inboxHasMore()
    this.#post({ type: 'inbox', run: this.run })
  }

  /** Sends an item to the edge, after all that was taken here before it. False when the run has come here. Rejects as the edge does. */
  async sendToEdge(edge: Edge, item: InboxItem): Promise<boolean> {
    const isSent = await this.#courier.send(edge, item)
    // The run may have come here since.
    if (isSent) this.poke()
    return isSent
  }

  /**
   * Resolves when what comes before anything that is put here now has its place here, too: what this host has sent to the edge, and
   * what waits there for a run that has just come here, unless that cannot be had now. Rejects as the inbox does.
   */
  async settleInbox(): Promise<void> {
    await this.#courier.settle()
    if (this.#inboxIsThere && this.ports.edge)
      await within(
        this.ports.clock,
        inboxAskMs,
        this.#takeInbox().catch(() => undefined),
      )
  }

  async #takeInbox(): Promise<void> {
    await this.#courier.pull(this.log.mustFold().head.seq + 1)
    this.#inboxIsThere = false
  }

  /** Whoever writes the run takes it; one that has moved on is sent it. */
  #inboxHasMore(): void {
    this.#inboxGrew = true
    if (this.host) this.host.poke()
    else this.#wake()
  }

  /** Makes the edge the owner. Rejects with `move_refused`, and the owner stays, or `move_unknown`. */
  moveToEdge(options: { readonly drainMs: number }): Promise<void> {
    return this.#movesAway.run(() => this.#moveToEdge(options))
  }

  async #moveToEdge({ drainMs }: { readonly drainMs: number }): Promise<void> {
    const { host, syncer } = this
    const { edge, me } = this.ports
    if (!edge || !syncer) throw noEdge(this.run)
    const fold = this.log.mustFold()
    if (fold.owner === edgeOwner) return
    if (isEnded(fold)) throw hasEnded(fold)
    if (host) return moveToEdge({ node: this, host, syncer, edge, drainMs })
    if (fold.owner !== me) return sendToEdge({ node: this, syncer, edge, drainMs })
    throw new WaystoneError('move_refused', `run ${this.run} is not written here any more: try again`, {
      run: this.run,
      actions: ['retry'],
    })
  }

  /** Makes this device the owner. Rejects with `move_refused` or `unreachable`; then the owner stays. */
  async moveHere(options: { readonly drainMs: number; readonly force: boolean }): Promise<void> {
    const { syncer } = this
    const { edge } = this.ports
    if (!edge || !syncer) throw noEdge(this.run)
    // Somebody may have taken it by force, of which this device has not heard yet.
    if (this.log.fold?.owner === this.ports.me) await this.#reconcile().catch(() => undefined)
    if (this.log.fold?.owner === this.ports.me) return
    this.#ahead ??= this.#goAhead()
    try {
      await moveHere({ node: this, syncer, edge, ...options })
    } finally {
      const { fold } = this.log
      if (fold === undefined || !this.#mayHost(fold)) this.#stayBack()
    }
    this.#wake()
  }

  /** A device has asked for the run: whoever writes it hands it over. */
  async #handOver({ by, ms }: Extract<WatchEvent, { type: 'wanted' }>): Promise<void> {
    await this.#movesAway.run(async () => {
      const { host, syncer, log, ports } = this
      const fold = log.mustFold()
      if (!host || !syncer || !ports.edge || by.owner === ports.me || !this.#mayHost(fold)) return
      const move = { node: this, host, syncer, edge: ports.edge, drainMs: ms }
      await (by.owner === edgeOwner ? moveToEdge(move) : handOver(move, by))
    })
  }

  /** Tells the edge that the run stands still here. */
  tellHeld(head: Head): void {
    this.#tellEdge({ type: 'held', head })
  }

  /** Resolves when a host is not this node's any more, or when `ms` are over. */
  async untilStopped(host: RunHost, ms: number): Promise<void> {
    const stop = new AbortController()
    const stopped = (async () => {
      while (this.host === host && !stop.signal.aborted) await this.#waker.next(stop.signal)
    })()
    await within(this.ports.clock, ms, stopped)
    stop.abort(null)
  }

  /** The agent of a name, as it is registered here. */
  agent(name: string): AnyAgent | undefined {
    return this.ports.agents.find((agent) => agent.name === name)
  }

  /** Why the run cannot go on here, as far as a fold goes. */
  blockersHere(fold: Fold): Promise<readonly string[]> {
    return blockersOf(fold, this.#target)
  }

  /** `blockersHere`, and the calls that wait for their outcome. Once the run is here its host goes on from that replay. */
  async rehearsedHere(fold: Fold): Promise<Rehearsed> {
    const rehearsed = await rehearse(fold, this.#target)
    this.#takeRehearsal()?.drop()
    this.#rehearsal = rehearsed.rehearsal
    return rehearsed
  }

  #takeRehearsal(): Rehearsal | undefined {
    const rehearsal = this.#rehearsal
    this.#rehearsal = undefined
    return rehearsal
  }

  get #target(): Target {
    const { clock, place } = this.ports
    return { clock, place, agent: (name) => this.agent(name) }
  }

  /** Lets go of writing, for a page that goes into the back/forward cache; `thaw` takes it up again. */
  async freeze(): Promise<void> {
    this.#frozen = true
    this.syncer?.flush()
    this.#waitForLock?.abort()
    this.#stayBack()
    this.host?.stop()
    this.#wake()
  }

  /** The agents have changed: an open turn of one of these is replayed with its new code, which shows what differs. */
  async renew(agents: ReadonlySet<string>): Promise<void> {
    const name = this.log.fold?.identity.agent
    if (name !== undefined && agents.has(name)) await this.host?.renew(renewMs)
  }

  /** What has gathered goes to the edge now, where there is one. */
  flush(): void {
    this.syncer?.flush()
  }

  /** Resolves when the edge has the beginning of this run, has refused it, or is not asked any more; of one that cannot be read at once. */
  async begunAtEdge(): Promise<void> {
    this.flush()
    while (this.log.fold && !this.closed && this.#sync.synced === undefined && this.#sync.error === undefined)
      await this.#waker.next(this.closing)
  }

  /** Takes up again what `freeze` let go. What other tabs have told meanwhile nobody delivers any more. */
  thaw(): void {
    this.#frozen = false
    this.onTab({ type: 'appended', run: this.run })
    this.#post({ type: 'hello', run: this.run })
    this.#wake()
  }

  /** Stops everything; resolves when nothing will be appended any more. */
  async close(): Promise<void> {
    this.#closed.abort()
    this.#waitForLock?.abort()
    this.host?.stop()
    this.#follow?.close()
    this.syncer?.close()
    this.#unlisten()
    this.#stayBack()
    this.#wake()
    await this.#loop
  }

  /** The edge has just said what its head is, and the log here is about to have it. */
  compared(): void {
    this.#comparedAt = this.ports.clock.now()
  }

  /** Looks again who owns the run. */
  ownerChanged(): void {
    this.#wake()
  }

  async #roles(): Promise<void> {
    for (let failures = 0, seen = -1; !this.#closed.signal.aborted;) {
      const looked = this.#wakes
      try {
        if (this.#stale && !this.#fresh) await this.#reconcile()
        const fold = this.log.fold
        if (fold && this.#mayHost(fold)) await this.#write()
        else {
          await this.#courier.forward().catch(() => this.#retryLater())
          await this.#changed(looked)
        }
      } catch (error) {
        if (this.#closed.signal.aborted) return
        this.#stale = true
        if (isWaystoneError(error, 'cancelled')) continue
        // Each failure without an entry between waits longer: it may run a step that costs money.
        const seq = this.log.fold?.head.seq ?? -1
        failures = seq > seen + 2 ? 1 : failures + 1
        seen = seq
        await this.ports.clock.wait(Math.min(1_000 * 2 ** (failures - 1), 60_000), this.#closed.signal)
      }
    }
  }

  /** Waits for the lock, opens the log for writing and hosts the run until it ends or somebody else has it. */
  async #write(): Promise<void> {
    const ahead = this.#ahead ?? this.#goAhead()
    this.#ahead = undefined
    this.#waitForLock = ahead.waiting
    const lock = await ahead.locking
    try {
      // A run that comes here goes on at once. Whoever takes one over from a tab that is gone opens its log first: in WebKit the
      // one waits for the other.
      const inbox: Inbox = { ...this.ports.inbox, list: () => this.#inboxInOrder() }
      const inboxListed = ahead.inboxListed ?? (this.#rehearsal && this.#listInbox())
      // Its host lists it when it begins.
      if (inboxListed === undefined) this.#inboxGrew = false
      const hasProgress = await this.#openForWriting(ahead)
      const fold = this.log.mustFold()
      if (!this.#mayHost(fold) || this.#closed.signal.aborted) return
      // The edge has said meanwhile that it has something else: that is looked at first.
      if (this.#stale) return
      const asked = this.#inboxIsThere ? Promise.withResolvers<void>() : undefined
      this.host = new RunHost(this.log, {
        ...this.ports,
        inbox,
        blobs: this.blobs,
        agent: (name) => this.agent(name),
        consumed: (ids, seq) => this.#courier.consumed(ids, seq),
        confirm: (seq, signal) => this.syncer?.confirm(seq, signal) ?? Promise.resolve(),
        inboxComplete: (signal) => this.#inboxComplete(signal),
        slept: (isSlow) => this.#lookAround(isSlow),
        rehearsal: this.#takeRehearsal(),
        hasProgress,
        inboxListed,
        inboxAsked: asked?.promise,
        tell: (event) => this.#tell(event),
      })
      if (this.#inboxGrew) this.host.poke()
      this.#wake()
      // What arrived while nobody wrote.
      void this.#pullInbox().finally(asked?.resolve)
      const end = await this.host.run()
      if (end.type === 'lost') throw end.error
    } finally {
      this.host = undefined
      this.#heard({ type: 'live', live: nothingLive })
      lock.release()
      this.#wake()
    }
  }

  async #inboxInOrder(): Promise<readonly InboxItem[]> {
    return this.#courier.inOrder(await this.ports.inbox.list(this.run))
  }

  /** The inbox of a run that comes here: what it gets while that is read is known. */
  #listInbox(): Promise<readonly InboxItem[]> {
    this.#inboxGrew = false
    const listed = this.#inboxInOrder()
    listed.catch(() => undefined)
    return listed
  }

  /** What writing takes: of a run that is about to come here it is there by then. */
  #goAhead(): Ahead {
    const waiting = new AbortController()
    const locking = this.ports.locks.acquire(`waystone:${this.run}`, waiting.signal)
    // What a host that died has set aside is there once it has let go; what this one does it knows itself.
    const tails = locking.then(() => this.ports.tails.list(this.run))
    const ahead: Ahead = {
      waiting,
      locking,
      tails,
      isReady: false,
      opened: undefined,
      inboxListed: undefined,
    }
    tails.then(
      (all) => (ahead.isReady = all.length === 0),
      () => undefined,
    )
    return ahead
  }

  /** The run does not come here after all. */
  #stayBack(): void {
    const ahead = this.#ahead
    this.#ahead = undefined
    ahead?.waiting.abort()
    ahead?.locking.then(
      (lock) => lock.release(),
      () => undefined,
    )
    this.#takeRehearsal()?.drop()
  }

  /**
   * The entry that fences whoever wrote before; a run that this host has just started needs none. True when it was stored with the claim
   * that has brought the run: then nobody has tried to go on here before.
   */
  async #openForWriting({ tails, opened }: Ahead): Promise<boolean> {
    const { fold } = this.log
    if (opened !== undefined && fold?.head.digest === opened && !this.#stale && this.#isCompared()) {
      this.#hasWritten = true
      return true
    }
    // Another tab may have been faster to the lock, and have written since.
    const isFresh = this.#fresh && (await this.log.isCurrent())
    this.#fresh = false
    if (isFresh) {
      this.#hasWritten = true
      void this.#reconcile().catch(() => undefined)
      if (fold?.head.seq === 0) return false
    } else if (this.#stale || !this.#isCompared()) await this.#catchUp()
    try {
      await this.#appendOpening(tails)
    } catch (error) {
      if (!isWaystoneError(error, 'head_moved')) throw error
      // Another tab has written it since it was compared.
      await this.#catchUp()
      await this.#appendOpening(this.ports.tails.list(this.run))
    }
    return false
  }

  /** What other tabs have written, and the edge. */
  async #catchUp(): Promise<void> {
    await this.log.catchUp()
    if (this.#stale || !this.#isCompared()) await this.#reconcile()
  }

  async #appendOpening(tails: Promise<readonly SetAside[]>): Promise<void> {
    const now = this.log.mustFold()
    if (!this.#mayHost(now)) return
    // Whoever wrote it before has ended in the middle of a turn; a page that comes out of the cache is the same host.
    if (!this.#hasWritten && now.records.length > 0) this.syncer?.recovered()
    this.#hasWritten = true
    const pause = await damagePause(this.log, { list: () => tails })
    await this.log.append(this.ports.me, (fold) => {
      // The edge may have brought the end of the run meanwhile, or what was missing.
      if (fold === undefined || !this.#mayHost(fold)) return []
      const isMissing = pause && fold.head.digest === now.head.digest
      return [this.#opening(), ...(isMissing ? [pause] : [])]
    })
  }

  #opening(): EntryDraft {
    const { place, random, software } = this.ports
    return { kind: 'open', body: { reason: 'opened', place, ...writtenBy(random, software) } }
  }

  /**
   * Adopts what the edge has sent. Where that ends with the claim of this device, which holds the lock by then, the entry that opens the run
   * is stored in the same transaction.
   */
  adopt(lines: readonly Uint8Array[]): Promise<readonly Entry[]> {
    const ahead = this.#ahead
    const first = (fold: Fold | undefined): readonly EntryDraft[] => {
      if (fold === undefined || fold.epoch === (this.log.fold?.epoch ?? 0)) return []
      // It was handed over, or taken: the edge has just said so.
      this.compared()
      const mayOpen = ahead?.isReady && ahead === this.#ahead && !this.log.damage && this.#mayHost(fold)
      return mayOpen ? [this.#opening()] : []
    }
    const ends = ({ digest }: Head): void => {
      if (ahead === undefined) return
      ahead.opened = digest
      ahead.inboxListed = this.#listInbox()
    }
    return this.log.adopt(lines, { own: { owner: this.ports.me, first, ends } })
  }

  #mayHost(fold: Fold): boolean {
    return fold.owner === this.ports.me && !isEnded(fold) && !this.#frozen && !this.#isBehind
  }

  /** Compares with the edge when it can be reached; without a network the run goes on here. */
  async #reconcile(): Promise<void> {
    this.#stale = false
    this.#reconciling += 1
    try {
      await this.syncer?.reconcile()
      this.#isBehind = false
      this.#retryMs = 0
      // What was asked early may have waited for the log to be read.
      this.#comparedAt = this.#early?.answered() ?? this.ports.clock.now()
      this.#early = undefined
    } catch (error) {
      this.#retryLater()
      if (isWaystoneError(error, 'run_unknown')) this.#isBehind = false
      else if (!isWaystoneError(error, 'unreachable')) throw error
    } finally {
      this.#reconciling -= 1
    }
  }

  /** True when the edge was asked a moment ago: it need not be asked again, unless it never has answered. */
  #isCompared(): boolean {
    if (this.syncer?.ready === false) return false
    const since = this.ports.clock.now() - this.#comparedAt
    return since >= 0 && since <= comparedMsMax
  }

  /** False when another tab has written the log: then this host stops. */
  async #isCurrent(): Promise<boolean> {
    if (await this.log.isCurrent()) return true
    this.#stale = true
    this.host?.stop()
    return false
  }

  /** After this host has stood still: another tab, or the edge, may write the run by now. */
  async #lookAround(isSlow: boolean): Promise<void> {
    if (!(await this.#isCurrent()) || isSlow) return
    // Stops the host when the edge is ahead; without a network it goes on.
    const compared = this.#reconcile().catch(() => undefined)
    await within(this.ports.clock, lookMsMax, compared)
  }

  /** Asks the edge again after a while, whatever the live connection says. */
  #retryLater(): void {
    if (this.#retryMs < 0) return
    const ms = Math.min(Math.max(this.#retryMs * 2, 500), 15_000)
    this.#retryMs = -1
    void this.ports.clock.wait(ms, this.closing).then(async () => {
      this.#retryMs = ms
      if (!this.closed) await this.#cameOnline()
    })
  }

  /** Resolves when something has happened since the loop looked. */
  async #changed(looked: number): Promise<void> {
    if (this.#wakes !== looked || this.closed) return
    await this.#waker.next()
  }

  async #onRemote(event: WatchEvent): Promise<void> {
    try {
      if (event.type === 'inbox') await this.#pullInbox()
      // Whoever asks hears of it when it does not come to anything.
      else if (event.type === 'wanted') void this.#handOver(event).catch(() => undefined)
      else if (event.type === 'lines' && !this.writing) await this.#adopt(event.lines)
      else if (event.type === 'lines') this.#checkWritten(event.lines)
      else if (!this.writing) this.#heard(event)
    } catch {
      // What did not fit is fetched whole: the roles loop reconciles.
      this.#stale = true
      this.#wake()
    }
  }

  /** Another tab may write the run, and would not know. */
  async #adopt(lines: readonly Uint8Array[]): Promise<void> {
    // The last entries of a run that is about to come here, and the claim behind them, are stored in one go.
    const isMore = this.#ahead !== undefined && !lines.some((line) => parseLine(line).kind === 'claim')
    this.#coming.push(...lines)
    if (isMore) await this.ports.clock.wait(gatherMs)
    const fresh = await this.adopt(this.#coming.splice(0))
    if (fresh.some(({ owner }) => owner === this.ports.me)) this.#post({ type: 'appended', run: this.run })
  }

  async #cameOnline(): Promise<void> {
    this.syncer?.retry()
    if (!this.writing) {
      // What is being compared, or was a moment ago, is what there is.
      this.#stale ||= this.#reconciling === 0 && (this.#isBehind || !this.#isCompared())
      return this.#wake()
    }
    // While the host runs only the comparison is made here; when the edge is ahead it stops the host first.
    // After one that failed it is not known whether the edge can be reached before the next one.
    if (this.syncer?.ready && this.#sync.online) await this.#pullInbox()
    else await this.#reconcile().catch(() => undefined)
    await this.#tellAgain().catch(() => undefined)
  }

  /** Entries from the edge while this host writes: its own, coming back, or a claim that ends its writing. */
  #checkWritten(lines: readonly Uint8Array[]): void {
    const last = lines.at(-1)
    const seq = last === undefined ? -1 : headOfLine(last).seq
    if (seq > this.log.mustFold().head.seq) this.#lost()
  }

  /** The edge has other entries: nothing more is written here until they are compared. */
  #lost(): void {
    this.#stale = true
    this.#isBehind = true
    this.host?.stop()
  }

  async #stopWriting(): Promise<void> {
    this.host?.stop()
    while (this.host !== undefined) await this.#waker.next()
  }

  async #pullInbox(): Promise<void> {
    if (!this.writing) return
    try {
      await this.#takeInbox()
      this.host?.poke()
    } catch {
      this.#retryLater()
    }
  }

  /** Asks the edge for its inbox until it answers. A run that the edge does not know yet has none there. */
  async #inboxComplete(signal: AbortSignal): Promise<void> {
    while (this.syncer && !signal.aborted) {
      await this.syncer.confirm(undefined, signal)
      try {
        return await this.#takeInbox()
      } catch {
        await this.ports.clock.wait(inboxRetryMs, signal)
      }
    }
  }

  /** An event of this host: to watchers here, other tabs, other devices. */
  #tell(event: WatchEvent): void {
    this.#heard(event)
    this.#post({ type: 'event', run: this.run, event })
    this.#tellEdge(event)
  }

  /** Of an encrypted run the edge hears that something goes on, and not what. */
  #tellEdge(event: WatchEvent): void {
    const told = shownEvent(this.log.fold, event)
    if (told) this.#follow?.tell(told)
  }

  #heard(event: WatchEvent): void {
    if (event.type === 'live') this.#live = event.live
    if (event.type === 'stream' && !this.writing) void this.#keepStream(event)
    this.#emit(event)
  }

  /** A follower keeps the text it sees, so that it can go on in the middle of a sentence should the run move here. */
  async #keepStream({ stream, at, text }: Extract<WatchEvent, { type: 'stream' }>): Promise<void> {
    if (this.log.fold?.owner === this.ports.me) return
    this.#keptStreams.add(stream)
    await this.ports.streams.append(this.run, stream, { at, text }).catch(() => undefined)
  }

  /** Text of turns that are over has its outcome in the log. */
  async #forgetStreams(): Promise<void> {
    const fold = this.log.mustFold()
    const over = [...this.#keptStreams].filter((stream) => isEnded(fold) || turnOfStream(stream) < fold.turn)
    if (over.length === 0) return
    for (const stream of over) this.#keptStreams.delete(stream)
    await this.ports.streams.remove(this.run, over).catch(() => undefined)
  }

  #post(message: TabMessage): void {
    this.ports.channel.post(message)
  }

  #emit(event: WatchEvent): void {
    for (const watcher of this.#watchers) callListener(watcher, event)
  }

  #wake(): void {
    this.#wakes += 1
    this.#waker.wake()
  }
}

/** Asks the edge for what comes after the last entry that is stored here. */
async function pullEarly(
  { remote }: Edge,
  run: RunId,
  { store, me, clock }: Pick<RuntimePorts, 'store' | 'me' | 'clock'>,
): Promise<EarlyPull> {
  const head = await store.head(run)
  const next = head && head.seq + 1
  let answered: number | undefined
  const pulled = remote.pull(run, next, me)
  // Whoever compares hears what went wrong.
  pulled.then(
    () => void (answered = clock.now()),
    () => undefined,
  )
  return { next, pulled, answered: () => answered }
}

/** True for an entry that gives a run to another owner because its last one was gone. */
function isTakeOver(entry: Entry): boolean {
  return entry.kind === 'claim' && entry.body.reason !== 'moved'
}

function hasEnded({ run, status }: Fold): WaystoneError {
  return new WaystoneError('run_ended', `run ${run} is ${status}: nothing of it goes on, wherever it is`, {
    run,
    actions: ['fork'],
  })
}

function noEdge(run: RunId): WaystoneError {
  return new WaystoneError(
    'move_refused',
    `run ${run} cannot move: this Waystone was opened without an edge`,
    { run },
  )
}
