import type { AnyAgent } from '../engine/agent.ts'
import { retentionHere } from '../engine/retention-of.ts'
import { snapshotPolicyOf } from '../engine/snapshot-policy-of.ts'
import type { Breakers } from '../engine/breakers.ts'
import { within } from '../engine/in-time.ts'
import type { Children } from '../engine/run-child.ts'
import { isWaystoneError, toWire, WaystoneError } from '../errors.ts'
import { edgeOwner, type OwnerId, type RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Bodies } from '../log/bodies.ts'
import { isEnded, type Fold } from '../log/fold.ts'
import { headOfLine } from '../log/plan-append.ts'
import { isSealed, shownEvent } from '../log/public-body.ts'
import { RunLog } from '../log/run-log.ts'
import { Snapshotter } from '../log/snapshotter.ts'
import type { Software } from '../log/written.ts'
import type { LentKeys } from '../ports/cipher.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { InboxItem } from '../ports/inbox.ts'
import type { LogStore } from '../ports/log-store.ts'
import type { Head } from '../ports/log-store.ts'
import type { Claim, Held, Successor } from '../ports/remote.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { StreamText } from '../ports/streams.ts'
import type { TryCounts } from '../ports/try-counts.ts'
import type { Live, Wait, WatchEvent } from '../ports/watch.ts'
import { Authority } from './authority.ts'
import { damagePause } from './damage-pause.ts'
import { RunHost } from './run-host.ts'
import { covers } from './successor.ts'
import { waitsUntil } from './waits-until.ts'

/** A time that survives the process, at which a keeper is called. */
export interface DueTime {
  /** In ms since 1970. */
  set(at: number): Promise<void>
  delete(): Promise<void>
  get(): number | undefined
}

/** When a run is due. */
export interface RunDue extends DueTime {
  /**
   * Makes it due at once, for work that begins before it rings, and resolves with how often that was begun since the log has
   * grown or it has come back, this time included. When it rings in the same life, that is no other time.
   */
  begin(): Promise<number>
}

/** Those who follow a run live. */
export interface Followers {
  /** Tells every follower but one device. */
  tell(event: WatchEvent, except?: string): void
  /** Tells one device, which may write. False when none of its connections is there. */
  tellDevice(device: OwnerId, event: WatchEvent): boolean
  /** When a device was last heard of, in ms since 1970. */
  lastHeard(device: OwnerId): number | undefined
}

/** What a keeper works with. */
export interface KeeperPorts {
  readonly clock: Clock
  readonly random: Random
  readonly storage: RunStorage & {
    /** Tells when the last append to a run was, in ms since 1970. */
    readonly store: LogStore & { lastAppend(run: RunId): number | undefined }
  }
  /**
   * When the run is due: `alarm` is called then, and before that the time is put off by `watchdogMs` or more. That is what brings
   * a run back whose process dies over it.
   */
  readonly due: RunDue
  readonly followers: Followers
  /** The streams of the open turn that have text. */
  readonly streamNames: () => readonly string[]
  /** False for text of a device for which there is no room: it stays there. */
  readonly hasRoomFor?: (stream: string, text: StreamText) => boolean
  readonly agents: () => readonly AnyAgent[]
  /** What this edge runs in and with, for the log. */
  readonly software?: Software
  /** Circuit breakers that runs share; without them each host of a run has its own. */
  readonly breakers?: Breakers
  /** Counts that its hosts leave for those after them. */
  readonly tries?: TryCounts
  /** Every turn is replayed before it commits. */
  readonly development?: boolean
  /** Where runs can have children; those of encrypted runs cannot be here. */
  readonly children?: Children | undefined
  /** Keys of encrypted runs that devices lend; absent: none are borrowed. */
  readonly lentKeys?: LentKeys | undefined
  /** There is something new to read: at once, or as often as text is stored. */
  readonly changed: (when: 'now' | 'soon') => void
  /** Hears of what failed without anybody waiting for it. */
  readonly failed: (where: 'alarm' | 'run' | 'take over' | 'snapshot', error: unknown) => void
}

/** How much of a run one alarm does. */
export interface Slice {
  /** In ms since 1970. */
  readonly until: number
  /** Steps and turns. */
  readonly steps: number
  /** How often it was due, this time included, since its log has grown last or an alarm came back. */
  readonly tries: number
}

/** What a slice is counted in: what may make requests, and what takes time where nothing does. */
const sliced: ReadonlySet<string> = new Set(['step', 'once', 'commit'])

/** Armed before user code runs: should the process die, the object wakes and goes on. In ms. */
export const watchdogMs = 15_000
/** Between two tries to take a run over that the edge cannot go on with, in ms. */
const takeOverMsMax = 60 * 60_000
/** How long a held host waits for the claim it was held for. */
const holdMsMax = 15_000
/** How long a device may take to hand a run over, beside the time that its steps may take. In ms. */
const handOverMs = 5_000
/** How long a device that stands still is believed to do so, in ms: less than it does. */
const standingMs = 8_000
/** Devices that wait for one run at a time. */
const awaitedMax = 20

const nothingLive: Live = { phase: 'idle', calls: [] }

/** How a host came back: what sets when the run is due next, and whether it let go before it had to wait. */
interface Hosted {
  readonly settle: () => Promise<void>
  readonly isMore: boolean
}

/** One run at the edge: keeps its log, decides about its owner, and runs its agent when the edge owns it. */
export class RunKeeper {
  readonly log: RunLog
  readonly authority: Authority
  readonly #ports: KeeperPorts
  readonly #snapshotter: Snapshotter
  #host: { readonly host: RunHost; readonly ended: Promise<unknown> } | undefined
  #working: Promise<boolean> | undefined
  #live: Live = nothingLive
  /** Until then a device may claim the head that it was told, in ms since 1970. */
  #heldUntil = -Infinity
  /** Where the owner, a device, stands still, and until when, in ms since 1970. */
  #standing: { readonly head: Head; readonly until: number } | undefined
  /** Devices that wait for the owner to hand the run over. */
  readonly #awaited = new Set<{ readonly device: OwnerId; readonly over: () => void }>()
  /** Items that came while a host ran: it may have decided to wait without seeing the last of them. */
  readonly #sent = new Set<string>()
  /** Children that ended while a host ran, likewise. */
  readonly #endedChildren = new Set<RunId>()
  /** How many are about to make the run the edge's. */
  #coming = 0
  /** Somebody has asked for a host since the last one began, and there was none. */
  #isAskedFor = false
  /** The last host has come back to wait, and what it waits for was set. */
  #waits = false

  private constructor(log: RunLog, ports: KeeperPorts) {
    this.log = log
    this.#ports = ports
    this.authority = new Authority(log, {
      clock: ports.clock,
      random: ports.random,
      blobs: ports.storage.blobs,
      inbox: ports.storage.inbox,
      lentKeys: ports.lentKeys,
      software: ports.software,
      agent: (name) => this.#agent(name),
      stopHost: () => this.#stopHost(),
      ownerAlive: (fold) => this.#silentMs(fold) < fold.identity.leaseMs,
      standsStill: ({ head }) =>
        this.#standing?.head.digest === head.digest && ports.clock.now() < this.#standing.until,
      isAwaited: (device) => [...this.#awaited].some((one) => one.device === device),
    })
    // It lives as long as the object does, whoever owns the run: what a device has pushed is let go here, too.
    this.#snapshotter = new Snapshotter(log, {
      me: edgeOwner,
      blobs: ports.storage.blobs,
      snapshots: ports.storage.snapshots,
      tails: ports.storage.tails,
      clock: ports.clock,
      mayAppend: () => this.#mayAppend(),
      retention: (fold) =>
        isSealed(fold) && !(fold.owner === edgeOwner && log.isReadable)
          ? 'as its writer'
          : retentionHere(fold, this.#agent(fold.identity.agent)),
      policy: (fold) => snapshotPolicyOf(this.#agent(fold.identity.agent)?.snapshots),
      synced: () => Infinity,
      failed: (error) => ports.failed('snapshot', error),
    })
    log.listen(({ entries, lines }, fold) => {
      const first = entries[0]
      // Its writer has them; a claim may come with the last ones of another.
      const isClaimed = entries.some(({ kind }) => kind === 'claim')
      const writer = fold.owner === edgeOwner || isClaimed ? undefined : fold.owner
      if (first) ports.followers.tell({ type: 'lines', from: first.seq, lines }, writer)
      ports.changed('now')
    })
  }

  /** Opens what this object has of a run, which may be nothing. */
  static async open(run: RunId, ports: KeeperPorts): Promise<RunKeeper> {
    const { store, snapshots, blobs } = ports.storage
    const now = (): number => ports.clock.now()
    const { lentKeys } = ports
    const cipher = lentKeys?.cipher
    const log = await RunLog.open(run, { store, snapshots, blobs, now, cipher, blind: true })
    if (lentKeys && isSealed(log.fold)) {
      if (log.fold?.owner === edgeOwner) {
        // Without them it stands still, and can be taken back.
        await lentKeys.recall(run).catch((error: unknown) => ports.failed('run', error))
        if (log.isReadable) await log.readAgain()
      }
      // An object that died as the run left has not forgotten them.
      else lentKeys.drop()
    }
    return new RunKeeper(log, ports)
  }

  /** What its host tells beside the log. */
  get live(): Live {
    return this.#live
  }

  /** What a new follower is told first. */
  async greeting(from: number): Promise<readonly WatchEvent[]> {
    const lines = from > (this.log.fold?.head.seq ?? -1) ? [] : await this.log.lines(from)
    const { storage, streamNames } = this.#ports
    const texts = await Promise.all(
      (isSealed(this.log.fold) ? [] : streamNames()).map(async (stream) => ({
        stream,
        ...(await storage.streams.read(this.log.run, stream, 0)),
      })),
    )
    return [
      ...(lines[0] ? [{ type: 'lines', from: headOfLine(lines[0]).seq, lines } as const] : []),
      ...texts.flatMap(({ stream, text }) => inPieces(stream, text)),
      { type: 'live', live: this.#live },
    ]
  }

  /**
   * After a push: the owner is alive, and the alarm looks after it. What is pushed to a run that the edge owns is here already, as
   * after a move: it does not wake one that was seen to wait. One that was not may have been moved here by an object that died then.
   */
  async pushed(): Promise<void> {
    const waits = this.#waits && this.log.fold?.owner === edgeOwner
    if (!waits && this.#ports.due.get() === undefined) await this.schedule()
  }

  /**
   * Changes the owner. Whatever fails leaves it as it was, and lets a host that was held go on. A run that comes here goes
   * on at once: the alarm, which is due by then, finds it at work.
   */
  claim(claim: Claim, as?: OwnerId): Promise<readonly Uint8Array[]> {
    const claiming = (): Promise<readonly Uint8Array[]> => this.#claim(claim, as)
    return claim.owner === edgeOwner ? this.#comes(claiming) : claiming()
  }

  async #claim(claim: Claim, as: OwnerId | undefined): Promise<readonly Uint8Array[]> {
    this.#waits = false
    try {
      const lines = await this.authority.claim(claim, as)
      this.#endAwaiting()
      await this.#forgetSealed(claim)
      return lines
    } catch (error) {
      this.#host?.host.release()
      throw error
    } finally {
      this.#heldUntil = -Infinity
      await this.schedule()
    }
  }

  /**
   * Appends what makes the run the edge's, and begins. It is due before the entry: should the object die right after that, it
   * wakes.
   */
  async #comes<T>(append: () => Promise<T>): Promise<T> {
    this.#coming += 1
    const coming = this.#dueNow()
      .then(append)
      .finally(() => (this.#coming -= 1))
    try {
      const came = await coming
      // It is due, whatever becomes of this.
      await this.#begin().catch((error: unknown) => this.#ports.failed('run', error))
      return came
    } catch (error) {
      await this.schedule()
      throw error
    }
  }

  /** The text of an encrypted run that has left is nobody's business here. */
  async #forgetSealed({ owner }: Claim): Promise<void> {
    const { storage, streamNames } = this.#ports
    if (owner === edgeOwner || !isSealed(this.log.fold)) return
    await storage.streams.remove(this.log.run, streamNames())
  }

  /**
   * Has the owner start nothing for a while, so that a device can follow to the head, from an entry on, and claim it. A successor
   * is given the run at once where its proof allows it; where that is the edge, the owner moves the run here. Rejects with
   * `move_refused` for a run that cannot go on here.
   */
  async hold(ms: number, from?: number, successor?: Successor): Promise<Held> {
    const drainMs = Math.min(ms, holdMsMax)
    const fold = this.log.mustFold()
    const { owner } = fold
    const isThere = owner === edgeOwner || owner === successor?.owner || isEnded(fold)
    const isForEdge = successor?.owner === edgeOwner
    if (successor && !isThere) {
      // Nobody is asked to stand still for a run that cannot go on here.
      if (isForEdge) await this.authority.checkBlockers()
      await this.#askOwner(owner, successor, drainMs)
    } else if (!isForEdge) await this.#holdHere(drainMs)
    if (successor) await this.#giveTo(successor)
    const { head } = this.log.mustFold()
    const lines = from === undefined || from > head.seq ? [] : await this.log.lines(from)
    return { head, lines }
  }

  async #holdHere(ms: number): Promise<void> {
    const held = this.#host
    this.#heldUntil = this.#ports.clock.now() + holdMsMax
    await held?.host.hold(ms)
    if (held === undefined) return
    void this.#ports.clock.wait(holdMsMax).then(() => {
      if (this.#host === held) held.host.release()
    })
  }

  /** Resolves when the owner, a device, has handed the run over, stands still, or takes too long. */
  async #askOwner(owner: OwnerId, successor: Successor, ms: number): Promise<void> {
    const { clock, followers } = this.#ports
    if (this.#awaited.size >= awaitedMax) return
    const over = Promise.withResolvers<void>()
    const waiting = { device: successor.owner, over: over.resolve }
    this.#awaited.add(waiting)
    try {
      if (!followers.tellDevice(owner, { type: 'wanted', by: successor, ms })) return
      await within(clock, ms + handOverMs, over.promise)
    } finally {
      this.#awaited.delete(waiting)
    }
  }

  #endAwaiting(): void {
    for (const { over } of this.#awaited) over()
  }

  /** Gives away a run that the edge owns, and that stands still. What its successor has not proved, it claims when it has. */
  async #giveTo({ owner, place, proof }: Successor): Promise<void> {
    const fold = this.log.mustFold()
    if (fold.owner !== edgeOwner || owner === edgeOwner || isEnded(fold)) return
    if (!(await covers(this.log, proof))) return
    const { head, epoch } = fold
    const claim: Claim = { base: head, epoch, owner, place, reason: 'moved', proof: { ...proof, head } }
    try {
      await this.#claim(claim, owner)
    } catch (error) {
      // Another device was faster, or the host that began meanwhile: the head tells.
      if (!isWaystoneError(error, 'head_moved')) throw error
    }
  }

  /** Ends what goes on here: from then on nothing is written. */
  async close(): Promise<void> {
    this.#snapshotter.close()
    await this.#stopHost()
  }

  /** The time may be over for which keys were lent: what is under way may end, and nothing of them stays here. */
  async lapse(): Promise<void> {
    if (!isSealed(this.log.fold) || this.log.isReadable) return
    await this.#stopHost()
    this.#ports.lentKeys?.drop()
  }

  /** Puts an item into the inbox and sees to it that somebody takes it. */
  async send(item: InboxItem): Promise<void> {
    await this.authority.send(item)
    const fold = this.log.mustFold()
    if (this.#host) {
      this.#sent.add(item.id)
      return this.#host.host.poke()
    }
    if (fold.owner === edgeOwner) return this.#askFor()
    this.#ports.followers.tell({ type: 'inbox' })
    if (this.#mayTakeOver(fold)) await this.#dueNow()
    else if (this.#ports.due.get() === undefined) await this.schedule()
  }

  /** Starts the run here, owned by the edge; one that has begun stays as it is. Rejects with `run_exists` for one of another parent. */
  async start(body: Bodies['start']): Promise<void> {
    const { fold, run } = this.log
    if (fold && fold.parent !== body.parent) throw exists(run)
    if (fold) return this.schedule()
    await this.#comes(() => this.log.append(edgeOwner, (now) => (now ? [] : [{ kind: 'start', body }])))
  }

  /** A child has ended: a run that may wait for it here looks again. */
  async childEnded(child: RunId): Promise<void> {
    const { fold } = this.log
    if (fold === undefined || fold.owner !== edgeOwner || isEnded(fold)) return
    if (this.#host === undefined) return this.#askFor()
    this.#endedChildren.add(child)
    this.#host.host.poke()
  }

  /** Goes on at once: the alarm, which is due by then, finds it at work. */
  #askFor(): Promise<void> {
    this.#isAskedFor = true
    return this.#begin()
  }

  #dueNow(): Promise<void> {
    return this.#ports.due.set(this.#ports.clock.now())
  }

  /** Work that the alarm has not begun: that finds it, and says how long it may go on. */
  async #begin(): Promise<void> {
    const tries = await this.#ports.due.begin()
    void this.#work(tries).catch((error: unknown) => this.#ports.failed('run', error))
  }

  /** What the owner tells beside its log, most of it for those who follow it. */
  async heard(
    event: Extract<WatchEvent, { type: 'live' | 'stream' | 'held' }>,
    device: string,
  ): Promise<void> {
    if (this.log.fold?.owner !== device) return
    if (event.type === 'held') {
      this.#standing = { head: event.head, until: this.#ports.clock.now() + standingMs }
      return this.#endAwaiting()
    }
    if (event.type === 'live') this.#live = event.live
    else if (this.#ports.hasRoomFor?.(event.stream, event) === false) return
    else await this.#ports.storage.streams.append(this.log.run, event.stream, event)
    this.#ports.followers.tell(event, device)
    this.#ports.changed('soon')
  }

  /**
   * The run is due. It lets go between steps at `until`, or when it has done `steps` of them, and is due again at once: true
   * then. Never throws: an alarm that throws seven times is gone for ever.
   */
  async alarm(slice: Slice): Promise<boolean> {
    try {
      const fold = this.log.fold
      if (fold === undefined || isEnded(fold)) await this.schedule()
      else if (fold.owner === edgeOwner) {
        const isMore = await this.#runAgent(slice)
        // What it has made due is done before the object may go.
        await this.#snapshotter.settle()
        return isMore
      } else if (this.#mayTakeOver(fold)) await this.#takeOver(fold)
      else await this.schedule()
    } catch (error) {
      this.#ports.failed('alarm', error)
      await this.#again()
    }
    return false
  }

  /** What did not work is begun again when it would be had the process died, and counted as that is. */
  async #again(): Promise<void> {
    const { clock, due } = this.#ports
    if (due.get() === undefined) await due.set(clock.now() + watchdogMs)
  }

  /** Sets when the run is due next. */
  async schedule(): Promise<void> {
    const { due } = this.#ports
    // What is about to come has said when.
    if (this.#coming > 0) return
    const fold = this.log.fold
    if (fold === undefined || isEnded(fold)) return due.delete()
    if (fold.owner === edgeOwner) return this.#host ? undefined : this.#dueNow()
    if (fold.identity.whenGone !== 'edge' || fold.status === 'paused') return due.delete()
    await due.set(this.#ports.clock.now() + Math.max(100, fold.identity.leaseMs - this.#silentMs(fold)))
  }

  /** Runs the agent, or waits for what a claim has begun already. True when it let go before it had to wait. */
  async #runAgent({ until, steps, tries }: Slice): Promise<boolean> {
    const { clock, failed } = this.#ports
    const stop = new AbortController()
    const timeLeft = (): number => Math.max(0, until - clock.now())
    const letGo = async (): Promise<void> => {
      await Promise.race([clock.wait(timeLeft(), stop.signal), this.#stepped(steps, stop.signal)])
      const held = this.#host
      if (stop.signal.aborted || held === undefined) return
      // What is under way may end, as long as there is time.
      await held.host.hold(Math.max(watchdogMs, timeLeft()), false)
      held.host.stop()
    }
    void letGo().catch((error: unknown) => failed('run', error))
    return this.#work(tries).finally(() => stop.abort())
  }

  /** What is under way goes on. With its end it is set when the run is due next, before anybody can begin anew. */
  #work(tries: number): Promise<boolean> {
    const ended = (): void => (this.#working = undefined)
    this.#working ??= this.#runHost(tries).then(
      async ({ settle, isMore }) => {
        ended()
        await settle()
        return isMore
      },
      (error: unknown) => {
        ended()
        throw error
      },
    )
    return this.#working
  }

  /** Hosts the run until it ends, waits, moves on or lets go. */
  async #runHost(tries: number): Promise<Hosted> {
    const { clock, due, storage } = this.#ports
    // The keys were lent for a time that is over: it stands still until a device takes it back.
    if (!this.log.isReadable || (await this.#standsStill(tries)))
      return { settle: () => due.delete(), isMore: false }
    const pause = await damagePause(this.log, storage.tails)
    if (pause) await this.log.append(edgeOwner, (now) => (now?.owner === edgeOwner ? [pause] : []))
    // A device may have claimed it back before there was a host to stop.
    if (this.log.mustFold().owner !== edgeOwner) return { settle: () => this.schedule(), isMore: false }
    this.#sent.clear()
    this.#endedChildren.clear()
    this.#isAskedFor = false
    this.#waits = false
    const host = this.#newHost()
    const ended = host.run({ letGo: true })
    this.#host = { host, ended }
    const end = await ended
    this.#host = undefined
    this.#ports.changed('soon')
    if (end.type === 'waiting') {
      this.#live = { ...this.#live, phase: 'waiting' }
      const missed = (await storage.inbox.list(this.log.run)).some(({ id }) => this.#sent.has(id))
      const settle = async (): Promise<void> => {
        const isMissed = missed || this.#isAskedFor || end.waits.some((wait) => this.#hasEnded(wait))
        const at = isMissed ? clock.now() : end.due
        await (at === undefined ? due.delete() : due.set(at))
        this.#waits = true
      }
      return { settle, isMore: false }
    }
    this.#live = nothingLive
    if (end.type !== 'lost') return { settle: () => this.schedule(), isMore: end.type === 'stopped' }
    this.#ports.failed('run', end.error)
    return { settle: () => this.#again(), isMore: false }
  }

  #hasEnded(wait: Wait): boolean {
    return wait.for === 'child' && this.#endedChildren.has(wait.run)
  }

  /** Resolves when so many steps and turns have been recorded, or with the signal. */
  #stepped(steps: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let left = steps
      const stop = this.log.listen(({ entries }) => {
        left -= entries.filter(({ kind }) => sliced.has(kind)).length
        if (left <= 0) resolve()
      })
      signal.addEventListener('abort', () => {
        stop()
        resolve()
      })
    })
  }

  #newHost(): RunHost {
    const { storage, followers, clock, children, breakers, tries, development } = this.#ports
    const { blobs, inbox, streams } = storage
    return new RunHost(this.log, {
      me: edgeOwner,
      place: 'edge',
      clock,
      blobs,
      inbox,
      streams,
      agent: (name) => this.#agent(name),
      consumed: (ids) => void inbox.remove(this.log.run, ids).catch(() => undefined),
      confirm: () => Promise.resolve(),
      rehearsal: this.authority.takeRehearsal(),
      ...(breakers ? { breakers } : {}),
      development: development ?? false,
      ...(tries ? { tries } : {}),
      ...(children && !isSealed(this.log.fold) ? { children } : {}),
      tell: (event) => {
        if (event.type === 'live') this.#live = event.live
        // Who looks on has a token, and not the key.
        const told = shownEvent(this.log.fold, event)
        if (told) followers.tell(told)
        this.#ports.changed('soon')
      },
    })
  }

  /** Pauses a run whose wake-ups bring no entry and only cost money. */
  async #standsStill(tries: number): Promise<boolean> {
    const fold = this.log.mustFold()
    if (tries <= limits.stallsMax || fold.status === 'paused') return false
    const error = toWire(stalled(fold.run, tries))
    await this.log.append(edgeOwner, () => [
      { kind: 'pause', body: { reason: 'error', error, actions: ['retry', 'fork', 'cancel'] } },
    ])
    return true
  }

  async #stopHost(): Promise<void> {
    const held = this.#host
    if (held === undefined) return
    await held.host.hold(holdMsMax)
    held.host.stop()
    await held.ended
  }

  /** True while snapshots may be added: also between the turns of a run that rests, when nothing else goes on. */
  #mayAppend(): boolean {
    if (this.#host) return this.#host.host.mayAppend
    const isHeld = this.#ports.clock.now() < this.#heldUntil
    return !isHeld && this.log.fold?.owner === edgeOwner && this.log.isReadable
  }

  /** True when the owner is gone, the policy says so, and the run can go on without it. */
  #mayTakeOver(fold: Fold): boolean {
    if (fold.owner === edgeOwner || fold.identity.whenGone !== 'edge' || fold.status !== 'running')
      return false
    return this.#silentMs(fold) >= fold.identity.leaseMs
  }

  async #takeOver(fold: Fold): Promise<void> {
    const { clock, storage, due: times } = this.#ports
    const due = await waitsUntil(fold, { clock, place: 'edge', agent: (name) => this.#agent(name) })
    // Its owner may have come back meanwhile.
    if (this.log.fold?.head.digest !== fold.head.digest || !this.#mayTakeOver(fold)) return this.schedule()
    if (due > clock.now() && (await storage.inbox.list(fold.run)).length === 0) {
      // A run that waits stays where it is until its inbox or the time brings the alarm back.
      return due === Infinity ? times.delete() : times.set(due)
    }
    try {
      const { head, epoch } = fold
      await this.authority.claim({ base: head, epoch, owner: edgeOwner, place: 'edge', reason: 'expired' })
      await times.set(clock.now())
    } catch (error) {
      this.#ports.failed('take over', error)
      // The longer its owner is gone the less likely is the next try: it comes after as long again.
      const ms = Math.max(fold.identity.leaseMs, watchdogMs, Math.min(this.#silentMs(fold), takeOverMsMax))
      await times.set(clock.now() + ms)
    }
  }

  #silentMs(fold: Fold): number {
    const heard = Math.max(
      this.#ports.followers.lastHeard(fold.owner) ?? 0,
      this.#ports.storage.store.lastAppend(this.log.run) ?? 0,
    )
    return this.#ports.clock.now() - heard
  }

  #agent(name: string): AnyAgent | undefined {
    return this.#ports.agents().find((agent) => agent.name === name)
  }
}

/** Text as frames that are small enough to be sent, whatever is in it: a character takes six when it is escaped. */
function inPieces(stream: string, text: string): readonly WatchEvent[] {
  const chars = Math.floor(limits.frameCharsMax / 8)
  return Array.from({ length: Math.ceil(text.length / chars) }, (_, piece) => {
    const at = piece * chars
    return { type: 'stream', stream, at, text: text.slice(at, at + chars) }
  })
}

function exists(run: RunId): WaystoneError {
  return new WaystoneError('run_exists', `there is a run ${run} already, which is no child of this one`, {
    run,
  })
}

/** Why a run is paused whose wake-ups only cost money. */
function stalled(run: RunId, count: number): WaystoneError {
  return new WaystoneError(
    'no_progress',
    `run ${run} was woken ${String(count)} times at the edge and wrote nothing: its step may use up the memory or time of an object, or its storage fails`,
    { run },
  )
}
