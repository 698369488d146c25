import {
  isOneOf,
  isStorageError,
  isWaystoneError,
  toWire,
  type ErrorCode,
  type WaystoneError,
} from '../errors.ts'
import type { Digest, OwnerId } from '../ids.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import { isEnded, type Fold } from '../log/fold.ts'
import type { Appending, RunLog } from '../log/run-log.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { Attempt } from '../engine/attempt.ts'
import type { AttemptEnd } from '../engine/attempt-end.ts'
import type { AttemptPorts, OpenTurn } from '../engine/attempt-ports.ts'
import { nextWithin } from '../engine/in-time.ts'
import { Breakers } from '../engine/breakers.ts'
import type { Rehearsal } from '../engine/rehearsal.ts'
import type { Children } from '../engine/run-child.ts'
import { limits } from '../limits.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Clock } from '../ports/clock.ts'
import type { Inbox, InboxItem } from '../ports/inbox.ts'
import type { Place } from '../ports/log-store.ts'
import type { Streams } from '../ports/streams.ts'
import type { TryCounts } from '../ports/try-counts.ts'
import type { Live, Wait, WatchEvent } from '../ports/watch.ts'
import type { Value } from '../state/codec.ts'
import {
  agentUnknown,
  budgetSpent,
  callOpen,
  configDigest,
  divergence,
  openTurn,
  streamsOf,
  unknownOutcome,
  waitsOutside,
} from './open-turn.ts'
import { commitDrafts, verifyTurn, type TurnEnded } from './commit-turn.ts'
import { isOfOtherVersion, migration } from './migrate.ts'
import { Waker } from '../waker.ts'
import { isYoung, stalledOpenings } from './openings.ts'
import { throttled } from './throttled.ts'
import { unwind } from './unwinder.ts'
import { consumedBy, controlEntry, refusalOf } from './inbox-entries.ts'
import { openItem } from './sealed-items.ts'

/** What a host gives the run it hosts. */
export interface HostPorts {
  readonly me: OwnerId
  readonly place: Place
  readonly clock: Clock
  readonly blobs: Blobs
  readonly inbox: Inbox
  /** The inbox as it was a moment ago, for a host that is poked when it has more by now. */
  readonly inboxListed?: Promise<readonly InboxItem[]> | undefined
  /**
   * Of a run that has just come here: resolves when what waits at the edge is here, too, or cannot be had now. No message is taken before,
   * since others may have sent one earlier.
   */
  readonly inboxAsked?: Promise<void> | undefined
  readonly streams: Streams
  agent(name: string): AnyAgent | undefined
  confirm(seq: number | undefined, signal: AbortSignal): Promise<void>
  /** Resolves when the inbox here holds all that the edge has; absent where it is the edge's own. */
  inboxComplete?(signal: AbortSignal): Promise<void>
  /** Inbox items that entries up to `seq` have consumed: to be forgotten once those entries cannot be set aside; at once with -1. */
  consumed(ids: readonly string[], seq: number): void
  /** A replay of the open turn that its first attempt goes on from, where it can: it is the host's from now on. */
  readonly rehearsal?: Rehearsal | undefined
  /** It is known that the hosts before this one came to something. */
  readonly hasProgress?: boolean
  /** Circuit breakers that the runs of this place share; by default a run has its own. */
  readonly breakers?: Breakers
  /** For a host that lets go of runs that wait. */
  readonly tries?: TryCounts
  /**
   * This host has stood still, as a sleeping laptop does: resolves when it is known who writes the run. `isSlow`: it has stood
   * still, or waited for others, whenever that was asked; only what is stored here counts.
   */
  slept?(isSlow: boolean): Promise<void>
  /** Runs of other agents, where a run can have them. */
  readonly children?: Children
  /** Every turn is replayed before it commits, and must come to the same end. */
  readonly development?: boolean
  tell(event: WatchEvent): void
}

/** Why `RunHost.run` came back. */
export type HostEnd =
  | { readonly type: 'ended' }
  | { readonly type: 'stopped' }
  /** Nothing can go on before one of these: only with `letGo`. */
  | { readonly type: 'waiting'; readonly due: number | undefined; readonly waits: readonly Wait[] }
  /** This host may not, or cannot, write the log any more. */
  | { readonly type: 'lost'; readonly error: unknown }

/** A hold: `still` once nothing runs, and `until` it is released. */
interface Held {
  readonly still: Promise<void>
  readonly reached: () => void
  readonly until: Promise<void>
  readonly release: () => void
  /** Somebody else goes on only while nothing runs here. */
  isWanted: boolean
  /** It is told that the run moves. */
  isMove: boolean
}

/** A clock may jump, and a machine sleep: what is due is looked at again after so long, in ms. */
const sliceMsMax = 60_000

/** While bodies run this host beats so often; between two beats that are further apart it has stood still. In ms. */
const beatMs = 1_000
const sleptMsMin = 4_000

/** How often a host that stands still time and again asks others who writes the run, before it goes on as without a network, */
const looksMax = 3
/** and how often, with those, it looks at what is stored here, before it takes it that its disk is as slow as that. */
const looksHereMax = 12

/** Inbox items that act on a turn that runs. */
const steering = new Set(['cancel', 'rewind', 'interrupt'])
/** Between looks at an inbox that cannot be read, in ms. */
const refreshMsMin = 500
const refreshMsMax = 15_000

/** Runs one run at its owner, turn by turn, from whatever its log says. */
export class RunHost {
  readonly #log: RunLog
  readonly #ports: HostPorts
  readonly #stop = new AbortController()
  readonly #opened: number
  readonly #unlisten: () => void
  #attempt: Attempt | undefined
  #rehearsal: Rehearsal | undefined
  #items: readonly InboxItem[] = []
  /** What `inboxAsked` says, and whether the items are from then on. */
  #inboxAsked: boolean
  #knowsInbox = false
  readonly #openItems = new Map<string, Promise<InboxItem>>()
  #refreshing: Promise<void> = Promise.resolve()
  readonly #waker = new Waker()
  #woken = false
  #held: Held | undefined
  #over = false
  #refreshMs = refreshMsMin
  /** The attempt that is being interrupted: once is enough. */
  #interrupting: Attempt | undefined
  /** The attempt that is being ended for a cancel or a way back. */
  #stopping: Attempt | undefined
  /** Streams whose steps were given up for a way back: what they wrote is not what their steps go on with. */
  readonly #leftStreams = new Set<string>()
  readonly #breakers: Breakers
  /** How often steps of the open turn were tried that wait for another try. */
  #tries: Readonly<Record<string, number>> = {}
  #beatAt: number
  #isBeating = false
  /** Until it is known who writes the run. */
  #looking: Promise<void> | undefined
  /** Until it is known whether the hosts before this one came to anything. */
  #comparing: Promise<void> | undefined
  /** They did, or the log is too short for them to have been many. */
  #hasProgress: boolean
  #stalled: WaystoneError | undefined
  readonly #tellLive: () => void
  /** It lets go of a turn that waits, and has said for what. */
  #rests = false

  constructor(log: RunLog, ports: HostPorts) {
    this.#log = log
    this.#ports = ports
    this.#opened = ports.clock.now()
    // From the entry that made this host the writer: it may have stood still since then, before anything ran.
    // Its newest entry is what opened it: a later one was written before the clock went back.
    this.#beatAt = log.fold?.updated ?? this.#opened
    this.#rehearsal = ports.rehearsal
    this.#hasProgress = ports.hasProgress ?? false
    this.#inboxAsked = ports.inboxAsked === undefined
    void ports.inboxAsked?.then(() => {
      this.#inboxAsked = true
      if (!this.#over) this.poke()
    })
    this.#breakers = ports.breakers ?? new Breakers(ports.clock)
    this.#tellLive = throttled(ports.clock, limits.liveMsMin, () => {
      if (!this.#rests) ports.tell({ type: 'live', live: this.live() })
    })
    this.#unlisten = log.listen((appending) => this.#onEntries(appending))
  }

  /** Goes on until the run ends, is stopped or lost; with `letGo`, also when it waits or is paused. */
  async run(options: { readonly letGo?: boolean } = {}): Promise<HostEnd> {
    try {
      return await this.#loop(options.letGo ?? false)
    } catch (error) {
      return { type: 'lost', error }
    } finally {
      this.#over = true
      this.#unlisten()
      this.#attempt?.giveUp()
      this.#rehearsal?.drop()
      this.#held?.reached()
    }
  }

  /** The inbox, the time or what this place provides has changed. */
  poke(): void {
    this.#refreshing = this.#refreshing
      .then(() => this.#refresh())
      .then(
        () => void (this.#refreshMs = refreshMsMin),
        () => this.#refreshLater(),
      )
  }

  /** Gives up what runs and makes `run` come back. Nothing is appended afterwards. */
  stop(): void {
    this.#stop.abort()
    this.#attempt?.giveUp()
    this.#held?.release()
    this.#signal()
  }

  /**
   * Starts nothing from now on; resolves when nothing runs and nothing will be appended until `release`. Steps may
   * take `ms` to end, then they are given up and run again later; a `once` is always waited for. For a move this is what is told,
   * and not for a host that only makes room for others for a moment.
   */
  async hold(ms: number, isMove = true): Promise<void> {
    if (this.#over) return
    const before = this.#held
    const held = before ?? this.#newHold(true)
    held.isWanted = true
    held.isMove ||= isMove
    this.#tellLive()
    await (before ? this.#untilStill(before) : this.#holdStill(held, ms))
  }

  /**
   * Begins the open turn anew, by a replay of what it has recorded, with the agent as it is now. What is under way ends as
   * for `hold`. Whatever else holds this host does that by itself.
   */
  async renew(ms: number): Promise<void> {
    if (this.#over || this.#held || this.#attempt?.over !== false) return
    const held = this.#newHold(false)
    try {
      await this.#holdStill(held, ms)
    } finally {
      if (!held.isWanted) this.#letGo(held)
    }
  }

  #letGo(held: Held): void {
    if (this.#held === held) this.release()
  }

  #newHold(isWanted: boolean): Held {
    const reached = deferred()
    const released = deferred()
    const held: Held = {
      still: reached.promise,
      reached: reached.resolve,
      until: released.promise,
      release: released.resolve,
      isWanted,
      isMove: false,
    }
    this.#held = held
    return held
  }

  async #holdStill(held: Held, ms: number): Promise<void> {
    await this.#attempt?.hold(ms)
    this.#attempt?.giveUp()
    this.#signal()
    await this.#untilStill(held)
  }

  async #untilStill({ still }: Held): Promise<void> {
    await still
    // An append that was under way when its attempt was given up is part of the head.
    await this.#log.append(this.#ports.me, () => [])
  }

  /** True while others may append in the name of this host. */
  get mayAppend(): boolean {
    return !this.#over && this.#held === undefined && !this.#stop.signal.aborted
  }

  /** Goes on after `hold`. */
  release(): void {
    const held = this.#held
    this.#held = undefined
    held?.release()
  }

  /** What is told beside the log. */
  live(): Live {
    const isMoving = this.#held?.isMove === true
    const idle: Live = { phase: isMoving ? 'moving' : 'idle', calls: [] }
    return this.#attempt?.over === false
      ? { ...this.#attempt.live(), ...(isMoving ? { phase: 'moving' as const } : {}) }
      : idle
  }

  async #loop(letGo: boolean): Promise<HostEnd> {
    // Who lets go of runs that wait reads nothing that none needs.
    if (!letGo && !this.#hasProgress) void this.#lookBack().catch(() => undefined)
    await this.#refresh(this.#ports.inboxListed)
    while (!this.#stop.signal.aborted) {
      if (this.#held) {
        this.#held.reached()
        this.#tellLive()
        await this.#held.until
        continue
      }
      this.#woken = false
      await this.#control()
      // What was asked for while this waited counts before anything is begun, here and below.
      if (!this.mayAppend) continue
      const fold = this.#log.mustFold()
      if (isEnded(fold)) {
        this.#tellLive()
        return { type: 'ended' }
      }
      const now = this.#ports.clock.now()
      if (fold.status === 'paused' || (fold.due !== undefined && fold.due > now)) {
        const due = fold.status === 'paused' ? undefined : fold.due
        if (letGo) return { type: 'waiting', due, waits: due === undefined ? [] : [{ for: 'time', due }] }
        this.#tellLive()
        await this.#sleep(due)
        continue
      }
      if ((await this.#prepare(fold)) || !this.mayAppend) continue
      const end = await this.#runTurn(fold, letGo)
      if (end) return end
    }
    return { type: 'stopped' }
  }

  /** After a way back: the steps that wrote these streams write them anew. */
  async #forgetStreams(): Promise<void> {
    const fold = this.#log.mustFold()
    const kept = new Set(streamsOf(fold))
    const entries = await this.#log.entries(0, fold.head.seq)
    const written = entries.flatMap((entry) =>
      entry.kind === 'step' && entry.body.stream ? [entry.body.stream.stream] : [],
    )
    const gone = [...new Set([...written, ...this.#leftStreams])].filter((stream) => !kept.has(stream))
    this.#leftStreams.clear()
    await this.#ports.streams.remove(fold.run, gone)
  }

  /** What comes before a turn: a way back to go, a state of an older version. True when it changed the log. */
  async #prepare(fold: Fold): Promise<boolean> {
    const agent = this.#ports.agent(fold.identity.agent)
    if (agent === undefined) return false
    const append = (drafts: readonly EntryDraft[], state?: Value): Promise<readonly Entry[]> =>
      this.#log.append(this.#ports.me, () => drafts, state === undefined ? {} : { state })
    try {
      if (fold.unwind) {
        const { clock, place } = this.#ports
        const isBack = await unwind(this.#log, agent, {
          clock,
          place,
          getBlob: (hash) => this.#log.getBlob(hash),
          signal: this.#stop.signal,
          isHeld: () => this.#held !== undefined,
          append,
        })
        if (isBack) await this.#forgetStreams()
        return true
      }
      const due = migration(fold, agent)
      if (due) await append([due.draft], due.state)
      return due !== undefined
    } catch (error) {
      if (isWaystoneError(error, 'head_moved') || isStorageError(error)) throw error
      const reason = isWaystoneError(error, 'outcome_unknown') ? 'outcome' : 'error'
      await this.#pause(fold, reason, toWire(error, 'step_failed'))
      return true
    }
  }

  async #runTurn(fold: Fold, letGo: boolean): Promise<HostEnd | undefined> {
    const agent = this.#ports.agent(fold.identity.agent)
    if (agent === undefined) return this.#pause(fold, 'error', toWire(agentUnknown(fold)))
    // Replaced since `#prepare` looked: the loop prepares for this one.
    if (isOfOtherVersion(fold, agent)) return undefined
    const attempt = this.#begin(agent, openTurn(fold, configDigest(agent)))
    this.#attempt = attempt
    this.#stalled = undefined
    const parked = letGo ? this.#parked(attempt) : new Promise<never>(() => undefined)
    const watching = this.#watchTime(attempt)
    const first = await Promise.race([attempt.end, parked])
    if ('waits' in first) {
      this.#keepTries(fold, attempt.tries)
      this.#ports.tell({ type: 'live', live: this.live() })
      this.#rests = true
      attempt.giveUp()
      return { type: 'waiting', ...first }
    }
    await watching
    return this.#afterAttempt(fold, agent, first)
  }

  #begin(agent: AnyAgent, turn: OpenTurn): Attempt {
    const ports = this.#attemptPorts()
    const rehearsal = this.#rehearsal
    this.#rehearsal = undefined
    const rehearsed = rehearsal?.goOn(agent, turn, ports)
    if (rehearsed) return rehearsed
    const attempt = new Attempt(agent, turn, ports)
    void attempt.run()
    return attempt
  }

  async #afterAttempt(fold: Fold, agent: AnyAgent, end: AttemptEnd): Promise<HostEnd | undefined> {
    switch (end.type) {
      case 'returned':
      case 'interrupted':
        await this.#commit(fold, agent, end)
        return undefined
      case 'threw':
        return this.#pause(fold, 'error', toWire(end.error, 'step_failed'), end.drop)
      case 'diverged':
        return this.#pause(fold, 'divergence', toWire(divergence(fold, end)))
      case 'open':
        return this.#pause(fold, 'error', toWire(callOpen(fold, end.path)))
      case 'outside':
        return this.#pause(fold, 'error', toWire(waitsOutside(fold)))
      case 'unknown':
        return this.#pause(fold, 'outcome', toWire(unknownOutcome(fold, end)))
      case 'spent':
        return this.#pause(fold, 'budget', toWire(end.error))
      case 'lost':
        if (!isOneOf(end.error, agentCodes) || !this.mayAppend) return { type: 'lost', error: end.error }
        return this.#pause(fold, 'error', toWire(end.error))
      case 'given up':
        return this.#stalled && this.mayAppend
          ? await this.#pause(fold, 'error', toWire(this.#stalled))
          : undefined
      case 'caught up':
        return undefined
    }
  }

  async #commit(fold: Fold, agent: AnyAgent, end: TurnEnded): Promise<void> {
    let drafts: readonly EntryDraft[]
    try {
      drafts = commitDrafts(this.#log.mustFold(), end, this.#ports.clock.now())
    } catch (error) {
      await this.#pause(fold, 'error', toWire(error))
      return
    }
    const now = this.#log.mustFold()
    const refused = this.#ports.development ? await verifyTurn(now, agent, end, this.#ports) : undefined
    if (refused) return this.#pause(fold, 'divergence', toWire(refused))
    // A hold or stop that came meanwhile: the turn is replayed to here by whoever goes on.
    if (!this.mayAppend) return
    try {
      await this.#log.append(this.#ports.me, () => drafts, { state: end.state })
    } catch (error) {
      if (!isOneOf(error, agentCodes)) throw error
      await this.#pause(fold, 'error', toWire(error))
      return
    }
    const streams = streamsOf(now)
    if (streams.length > 0) await this.#ports.streams.remove(fold.run, streams)
  }

  async #pause(
    fold: Fold,
    reason: 'error' | 'divergence' | 'outcome' | 'budget',
    error: ReturnType<typeof toWire>,
    drop?: Digest,
  ): Promise<undefined> {
    const always = ['rewind', 'fork', 'cancel'] as const
    const actions = [
      ...new Set([...(error.actions ?? []), reason === 'outcome' ? 'decide' : 'retry', ...always] as const),
    ]
    const body = {
      reason,
      error: { run: fold.run, ...error },
      actions,
      ...(drop === undefined ? {} : { drop }),
    }
    await this.#log.append(this.#ports.me, () => [{ kind: 'pause', body }])
    return undefined
  }

  /** What is not named is not tried again, or not yet. */
  #keepTries(fold: Fold, tries: Readonly<Record<string, number>>): void {
    if (Object.keys(this.#tries).length + Object.keys(tries).length === 0) return
    this.#tries = tries
    this.#ports.tries?.set(turnKey(fold), tries)
  }

  #attemptPorts(): AttemptPorts {
    const { clock, place, me, streams } = this.#ports
    const { run } = this.#log
    this.#tries = this.#ports.tries?.get(turnKey(this.#log.mustFold())) ?? {}
    return {
      clock,
      place,
      me,
      // A host that lets go and comes back does not count anew.
      opened: Math.min(this.#opened, this.#log.mustFold().writerSince),
      append: (drafts, options) => this.#log.append(me, () => drafts, options),
      confirm: (seq, signal) => this.#ports.confirm(seq, signal),
      inboxComplete: async (signal) => {
        await this.#ports.inboxComplete?.(signal)
        await this.#refresh()
      },
      children: this.#ports.children,
      breakers: this.#breakers,
      // What could not be opened is refused by the loop.
      inbox: () => this.#items.filter(({ sealed }) => sealed === undefined),
      knowsInbox: () => this.#knowsInbox,
      readStream: (stream) => streams.read(run, stream, 0),
      writeStream: async (stream, chunk) => {
        await streams.append(run, stream, chunk)
        this.#ports.tell({ type: 'stream', stream, at: chunk.at, text: chunk.text })
      },
      resetStream: async (stream) => {
        await streams.remove(run, [stream])
        this.#ports.tell({ type: 'stream', stream, at: 0, text: '' })
      },
      awake: () => this.#awake(),
      development: this.#ports.development ?? false,
      tries: (path) => this.#tries[path] ?? 0,
      overBudget: (begun) => budgetSpent(this.#log.mustFold(), begun),
      putBlob: (bytes) => this.#log.putBlob(bytes),
      getBlob: (hash) => this.#log.getBlob(hash),
      changed: () => {
        this.#tellLive()
        this.#signal()
        // What came before this attempt was there, or caught up, counts for it too.
        if (this.#items.some(({ type }) => steering.has(type)))
          void this.#controlAttempt().catch(() => undefined)
      },
    }
  }

  /** Before a body begins. Undefined for a run that comes on, as long as this host has beaten all the time. */
  #awake(): Promise<void> | undefined {
    this.#hasProgress ||= isYoung(this.#log)
    const comparing = this.#hasProgress ? undefined : (this.#comparing ??= this.#compare())
    const looking = this.#lookAgain()
    return comparing && looking
      ? Promise.all([comparing, looking]).then(() => undefined)
      : (comparing ?? looking)
  }

  /** Good news is known by the time that the first body begins. A run that has only waited until now has none, and nothing is wrong with it. */
  async #lookBack(): Promise<void> {
    if (isYoung(this.#log)) return
    const stalled = await stalledOpenings(this.#log, this.#ports.clock.now())
    this.#hasProgress ||= stalled === undefined
  }

  /** Gives the turn up when hosts before this one have tried it time and again, and all were killed. */
  async #compare(): Promise<void> {
    try {
      this.#stalled = await stalledOpenings(this.#log, this.#ports.clock.now())
    } finally {
      this.#comparing = undefined
    }
    if (this.#stalled) this.#attempt?.giveUp()
    else this.#hasProgress = true
  }

  #lookAgain(): Promise<void> | undefined {
    const { slept } = this.#ports
    if (slept === undefined) return undefined
    // Steps of other branches wait for the same answer.
    if (this.#looking) return this.#looking
    const hasSlept = this.#hasSlept()
    this.#beatAt = this.#ports.clock.now()
    void this.#beat()
    if (!hasSlept) return undefined
    this.#looking = this.#look(slept).finally(() => (this.#looking = undefined))
    return this.#looking
  }

  /** Asks who writes the run. An answer that was slept over is an old one; a host whose every answer is slow goes on. */
  async #look(slept: (isSlow: boolean) => Promise<void>): Promise<void> {
    for (let looks = 0; looks < looksHereMax; looks += 1) {
      this.#beatAt = this.#ports.clock.now()
      await slept(looks >= looksMax)
      if (this.#over || !this.#hasSlept()) return
    }
  }

  /** True when more time has passed since the last beat, or less, than does while a host is awake. */
  #hasSlept(): boolean {
    const gap = this.#ports.clock.now() - this.#beatAt
    return gap < 0 || gap >= sleptMsMin
  }

  /** Beats as long as something runs. */
  async #beat(): Promise<void> {
    if (this.#isBeating) return
    this.#isBeating = true
    while (!this.#over && this.#attempt?.over === false && this.#attempt.waits() === undefined) {
      await this.#ports.clock.wait(beatMs, this.#stop.signal)
      if (this.#stop.signal.aborted) break
      // A beat that comes late, after a sleep, must not hide it: the next step asks.
      if (!this.#hasSlept()) this.#beatAt = this.#ports.clock.now()
    }
    this.#isBeating = false
  }

  /** Resolves when an attempt does nothing but wait, for hosts that do not stay awake for that. */
  async #parked(
    attempt: Attempt,
  ): Promise<{ readonly due: number | undefined; readonly waits: readonly Wait[] }> {
    for (;;) {
      await this.#refreshing
      const waits = attempt.waits()
      // What waits for the network waits for this host's own question to be answered.
      if (waits !== undefined && !waits.some((wait) => wait.for === 'network')) {
        const { due } = attempt
        if (due === undefined || due > this.#ports.clock.now()) return { due, waits }
        attempt.poke()
      }
      await this.#waker.next()
      if (attempt.over) return await new Promise<never>(() => undefined)
    }
  }

  /** Pokes an attempt when the time comes that one of its calls waits for. A call that may not go on then keeps nobody at work. */
  async #watchTime(attempt: Attempt): Promise<void> {
    while (!attempt.over) {
      const now = this.#ports.clock.now()
      const due = attempt.duePoke
      if (due !== undefined && due <= now) {
        attempt.poke()
        await this.#ports.clock.task()
        continue
      }
      await nextWithin(this.#ports.clock, due && Math.min(due - now, sliceMsMax), this.#waker)
    }
  }

  #onEntries({ entries }: Appending): void {
    this.#attempt?.take(entries)
    this.#forgetTries(entries)
    const used = entries.flatMap(consumedBy)
    if (used.length === 0) return
    this.#items = this.#items.filter(({ id }) => !used.includes(id))
    for (const id of used) this.#openItems.delete(id)
    // An answer that does not fit would keep others from its question, wherever that is asked on.
    const unfit = entries.flatMap((entry) =>
      entry.kind === 'refuse' && entry.body.type === 'answer' ? [entry.body.id] : [],
    )
    if (unfit.length > 0) this.#ports.consumed(unfit, -1)
    const rest = used.filter((id) => !unfit.includes(id))
    if (rest.length > 0) this.#ports.consumed(rest, entries.at(-1)?.seq ?? 0)
  }

  /** A step that has failed is tried as often as at first when somebody asks for it again. */
  #forgetTries(entries: readonly Entry[]): void {
    const ended = entries.flatMap(({ kind, body }) => (kind === 'step' ? [body.path] : []))
    const tries = Object.entries(this.#tries)
    const left = tries.filter(([path]) => !ended.includes(path))
    if (left.length < tries.length) this.#keepTries(this.#log.mustFold(), Object.fromEntries(left))
  }

  /** What waits in an inbox that could not be read is looked at again: nobody pokes twice for one item. */
  #refreshLater(): void {
    const ms = this.#refreshMs
    this.#refreshMs = Math.min(2 * ms, refreshMsMax)
    void this.#ports.clock.wait(ms, this.#stop.signal).then(() => {
      if (!this.#over && !this.#stop.signal.aborted) this.poke()
    })
  }

  async #refresh(listed = this.#ports.inbox.list(this.#log.run)): Promise<void> {
    const consumed = this.#log.fold?.consumed ?? new Set<string>()
    const knowsInbox = this.#inboxAsked
    const items = await listed
    const stale = items.filter(({ id }) => consumed.has(id)).map(({ id }) => id)
    if (stale.length > 0) this.#ports.consumed(stale, this.#log.mustFold().head.seq)
    const waiting = items.filter(({ id }) => !consumed.has(id))
    const opened = await Promise.all(waiting.map((item) => this.#readable(item)))
    this.#items = opened.filter(({ id }) => this.#log.fold?.consumed.has(id) !== true)
    this.#knowsInbox ||= knowsInbox
    await this.#controlAttempt()
    this.#attempt?.poke()
    this.#signal()
  }

  /** Opened once: sealed items wait as long as others do. */
  #readable(item: InboxItem): Promise<InboxItem> | InboxItem {
    if (item.sealed === undefined) return item
    const before = this.#openItems.get(item.id)
    const opening = before ?? openItem(this.#log.cipher, this.#log.mustFold(), item)
    this.#openItems.set(item.id, opening)
    opening.catch(() => this.#openItems.delete(item.id))
    return opening
  }

  /** Control items while a turn runs: they act on the attempt, or end it so that the loop acts. */
  async #controlAttempt(): Promise<void> {
    const attempt = this.#attempt
    if (attempt === undefined || attempt.over || this.#stopping === attempt) return
    for (const item of this.#items) {
      const isGoing = item.type === 'rewind' && refusalOf(item, this.#log.mustFold()).length === 0
      if (item.type === 'cancel' || isGoing) {
        this.#stopping = attempt
        for (const { kind, path } of attempt.live().calls) if (kind === 'stream') this.#leftStreams.add(path)
        await attempt.stopBodies()
        attempt.giveUp()
        return
      }
      if (
        item.type === 'interrupt' &&
        this.#interrupting !== attempt &&
        attempt.live().phase !== 'catching up'
      ) {
        this.#interrupting = attempt
        void attempt.interrupt(item)
        return
      }
    }
    const refused = this.#items.flatMap((item) => refusalOf(item, this.#log.mustFold()))
    if (refused.length === 0) return
    await this.#log.append(this.#ports.me, (now) => refused.filter(({ body }) => !now?.consumed.has(body.id)))
  }

  /** Control items between turns and while paused. */
  async #control(): Promise<void> {
    for (const item of this.#items) {
      const fold = this.#log.mustFold()
      if (isEnded(fold)) return
      const draft = controlEntry(item, fold)
      if (draft) await this.#log.append(this.#ports.me, (now) => (now?.consumed.has(item.id) ? [] : [draft]))
    }
  }

  async #sleep(due: number | undefined): Promise<void> {
    const { clock } = this.#ports
    const left = (): number => Math.max(0, due === undefined ? Infinity : due - clock.now())
    while (!this.#woken && left() > 0)
      await nextWithin(clock, due && Math.min(left(), sliceMsMax), this.#waker)
  }

  #signal(): void {
    this.#woken = true
    this.#waker.wake()
  }
}

/**
 * What is wrong with what an agent gives, wherever that was found: it would be so again, however often the run was opened, and people
 * can mend it.
 */
const agentCodes: readonly ErrorCode[] = [
  'value_refused',
  'input_refused',
  'entry_refused',
  'too_large',
  'limit_exceeded',
]

/** Names a turn of a run: one that begins anew after a way back is another. */
function turnKey({ origin, turn }: Fold): string {
  return `${origin}/${String(turn)}`
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}
