import {
  Authority,
  edgeOwner,
  isEnded,
  limits,
  RunHost,
  RunLog,
  toWire,
  WaystoneError,
  type AnyAgent,
  type Blobs,
  type Claim,
  type Fold,
  type Head,
  type Inbox,
  type InboxItem,
  type Live,
  type RunId,
  type WatchEvent,
} from '@waystone/core'
import type { Report } from '../report.ts'
import type { SqlLogStore } from '../store/sql-log-store.ts'
import type { sqlStreams } from '../store/sql-streams.ts'
import { edgeClock } from './edge-clock.ts'
import type { RunSockets } from './run-sockets.ts'

/** What a keeper works with. */
export interface KeeperPorts {
  readonly storage: DurableObjectStorage
  readonly store: SqlLogStore
  readonly blobs: Blobs
  readonly inbox: Inbox
  readonly streams: ReturnType<typeof sqlStreams>
  readonly sockets: RunSockets
  readonly agents: () => readonly AnyAgent[]
  readonly report: Report
}

/** Armed before user code runs: should the process die, the object wakes and goes on. In ms. */
export const watchdogMs = 15_000
/** One alarm may run for 15 minutes; before that the host lets go between steps and goes on in another. */
const alarmMsMax = 10 * 60_000
/** How long a held host waits for the claim it was held for. */
const holdMsMax = 15_000

const nothingLive: Live = { phase: 'idle', calls: [] }

/** One run at the edge: keeps its log, decides about its owner, and runs its agent when the edge owns it. */
export class RunKeeper {
  readonly log: RunLog
  readonly authority: Authority
  readonly #ports: KeeperPorts
  #host: { readonly host: RunHost; readonly ended: Promise<unknown> } | undefined
  #live: Live = nothingLive

  private constructor(log: RunLog, ports: KeeperPorts) {
    this.log = log
    this.#ports = ports
    this.authority = new Authority(log, {
      clock: edgeClock,
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      blobs: ports.blobs,
      inbox: ports.inbox,
      agent: (name) => this.#agent(name),
      stopHost: () => this.#stopHost(),
      ownerAlive: (fold) => this.#silentMs(fold) < fold.identity.leaseMs,
    })
    log.listen(({ entries, lines }, fold) => {
      const first = entries[0]
      const writer = fold.owner === edgeOwner ? undefined : fold.owner
      if (first)
        ports.sockets.tell(
          { type: 'lines', from: first.seq, lines },
          first.kind === 'claim' ? undefined : writer,
        )
    })
  }

  /** Opens what this object has of a run, which may be nothing. */
  static async open(run: RunId, ports: KeeperPorts): Promise<RunKeeper> {
    return new RunKeeper(
      await RunLog.open(run, { store: ports.store, blobs: ports.blobs, now: () => Date.now() }),
      ports,
    )
  }

  /** What a new follower is told first. */
  async greeting(from: number): Promise<readonly WatchEvent[]> {
    const lines = await this.log.lines(from)
    const texts = await Promise.all(
      this.#ports.streams
        .names()
        .map(async (stream) => ({ stream, ...(await this.#ports.streams.read(this.log.run, stream, 0)) })),
    )
    return [
      ...(lines.length > 0 ? [{ type: 'lines', from, lines } as const] : []),
      ...texts.map(({ stream, at, text }) => ({ type: 'stream', stream, at, text }) as const),
      { type: 'live', live: this.#live },
    ]
  }

  /** After a push: the owner is alive, and the alarm looks after it. */
  async pushed(): Promise<void> {
    const fold = this.log.fold
    if (fold && isEnded(fold)) await this.#ports.streams.remove(fold.run, this.#ports.streams.names())
    if ((await this.#ports.storage.getAlarm()) === null) await this.schedule()
  }

  /** Changes the owner. Whatever fails leaves it as it was, and lets a host that was held go on. */
  async claim(claim: Claim): Promise<readonly Uint8Array[]> {
    try {
      return await this.authority.claim(claim)
    } catch (error) {
      this.#host?.host.release()
      throw error
    } finally {
      await this.schedule()
    }
  }

  /** Starts nothing for a while, so that a device can follow to the head and claim it. */
  async hold(ms: number): Promise<Head> {
    const held = this.#host
    await held?.host.hold(Math.min(ms, holdMsMax))
    if (held) {
      void edgeClock.wait(holdMsMax).then(() => {
        if (this.#host === held) held.host.release()
      })
    }
    return this.log.mustFold().head
  }

  /** Puts an item into the inbox and sees to it that somebody takes it. */
  async send(item: InboxItem): Promise<void> {
    await this.authority.send(item)
    const fold = this.log.mustFold()
    if (this.#host) return this.#host.host.poke()
    if (fold.owner === edgeOwner) return this.#ports.storage.setAlarm(Date.now())
    this.#ports.sockets.tell({ type: 'inbox' })
    if (this.#mayTakeOver(fold)) await this.#ports.storage.setAlarm(Date.now())
    else if ((await this.#ports.storage.getAlarm()) === null) await this.schedule()
  }

  /** Live events of the owner, for those who follow it. */
  async heard(event: Extract<WatchEvent, { type: 'live' | 'stream' }>, device: string): Promise<void> {
    if (this.log.fold?.owner !== device) return
    if (event.type === 'live') this.#live = event.live
    else await this.#ports.streams.append(this.log.run, event.stream, event)
    this.#ports.sockets.tell(event, device)
  }

  /** The alarm: the one thing that wakes an object. Never throws: one that throws seven times is gone for ever. */
  async alarm(): Promise<void> {
    try {
      const fold = this.log.fold
      if (fold === undefined || isEnded(fold)) return
      if (fold.owner === edgeOwner) await this.#runAgent()
      else if (this.#mayTakeOver(fold)) await this.#takeOver(fold)
      else await this.schedule()
    } catch (error) {
      this.#ports.report({ where: 'alarm', run: this.log.run, error })
      await this.#ports.storage.setAlarm(Date.now() + watchdogMs)
    }
  }

  /** Sets the alarm for what comes next. */
  async schedule(): Promise<void> {
    const { storage } = this.#ports
    const fold = this.log.fold
    if (fold === undefined || isEnded(fold)) return storage.deleteAlarm()
    if (fold.owner === edgeOwner) return this.#host ? undefined : storage.setAlarm(Date.now())
    if (fold.identity.whenGone !== 'edge' || fold.status === 'paused') return storage.deleteAlarm()
    await storage.setAlarm(Date.now() + Math.max(100, fold.identity.leaseMs - this.#silentMs(fold)))
  }

  async #runAgent(): Promise<void> {
    const { storage, blobs, inbox, streams, sockets } = this.#ports
    await storage.setAlarm(Date.now() + watchdogMs)
    if (await this.#standsStill()) return
    const host = new RunHost(this.log, {
      me: edgeOwner,
      place: 'edge',
      clock: edgeClock,
      blobs,
      inbox,
      streams,
      agent: (name) => this.#agent(name),
      consumed: (ids) => void inbox.remove(this.log.run, ids).catch(() => undefined),
      confirm: () => Promise.resolve(),
      tell: (event) => {
        if (event.type === 'live') this.#live = event.live
        sockets.tell(event)
      },
    })
    const ended = host.run({ letGo: true })
    this.#host = { host, ended }
    const stop = new AbortController()
    void edgeClock.wait(alarmMsMax, stop.signal).then(async () => {
      if (stop.signal.aborted) return
      await host.hold(watchdogMs)
      host.stop()
    })
    const end = await ended
    stop.abort()
    this.#host = undefined
    if (end.type !== 'lost') this.#ran()
    if (end.type === 'waiting') {
      this.#live = { ...this.#live, phase: 'waiting' }
      return end.due === undefined ? storage.deleteAlarm() : storage.setAlarm(end.due)
    }
    this.#live = nothingLive
    if (end.type === 'lost') this.#ports.report({ where: 'run', run: this.log.run, error: end.error })
    await (end.type === 'lost' ? storage.setAlarm(Date.now() + 1_000) : this.schedule())
  }

  /** Counts wake-ups that brought no entry; pauses a run that only costs money. */
  async #standsStill(): Promise<boolean> {
    const { sql } = this.#ports.storage
    const fold = this.log.mustFold()
    const [before] = sql.exec<{ seq: number; count: number }>('SELECT seq, count FROM stalls').toArray()
    const count = before?.seq === fold.head.seq ? before.count + 1 : 1
    sql.exec('INSERT OR REPLACE INTO stalls (one, seq, count) VALUES (1, ?, ?)', fold.head.seq, count)
    if (count <= limits.stallsMax || fold.status === 'paused') return false
    const error = new WaystoneError(
      'bug',
      `run ${fold.run} was woken ${String(count)} times at the edge and made no progress: its step may use up the memory or time of an object`,
      {
        run: fold.run,
      },
    )
    sql.exec('DELETE FROM stalls')
    await this.log.append(edgeOwner, () => [
      {
        kind: 'pause',
        body: { reason: 'error', error: toWire(error), actions: ['retry', 'fork', 'cancel'] },
      },
    ])
    await this.#ports.storage.deleteAlarm()
    return true
  }

  /** The host came back by itself: whatever it did, it was not killed. */
  #ran(): void {
    this.#ports.storage.sql.exec('DELETE FROM stalls')
  }

  async #stopHost(): Promise<void> {
    const held = this.#host
    if (held === undefined) return
    await held.host.hold(holdMsMax)
    held.host.stop()
    await held.ended
  }

  /** True when the owner is gone, the policy says so, and the run can go on without it. */
  #mayTakeOver(fold: Fold): boolean {
    if (fold.owner === edgeOwner || fold.identity.whenGone !== 'edge' || fold.status !== 'running')
      return false
    return this.#silentMs(fold) >= fold.identity.leaseMs
  }

  async #takeOver(fold: Fold): Promise<void> {
    const { inbox, storage } = this.#ports
    const last = fold.records.at(-1)
    const due = last?.kind === 'ask' ? (last.body.due ?? Infinity) : 0
    if (due > Date.now() && (await inbox.list(fold.run)).length === 0) {
      // A run that waits for a person stays where it is until the answer, or the deadline, brings the alarm back.
      return due === Infinity ? storage.deleteAlarm() : storage.setAlarm(due)
    }
    try {
      const { head, epoch } = fold
      await this.authority.claim({ base: head, epoch, owner: edgeOwner, place: 'edge', reason: 'expired' })
      await storage.setAlarm(Date.now())
    } catch (error) {
      this.#ports.report({ where: 'take over', run: fold.run, error })
      await storage.setAlarm(Date.now() + Math.max(fold.identity.leaseMs, watchdogMs))
    }
  }

  #silentMs(fold: Fold): number {
    const heard = Math.max(
      this.#ports.sockets.lastHeard(fold.owner) ?? 0,
      this.#ports.store.lastAppend() ?? 0,
    )
    return Date.now() - heard
  }

  #agent(name: string): AnyAgent | undefined {
    return this.#ports.agents().find((agent) => agent.name === name)
  }
}
