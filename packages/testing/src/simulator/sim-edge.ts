import {
  RunKeeper,
  watchdogMs,
  WaystoneError,
  type AnyAgent,
  type Blobs,
  type Clock,
  type DueTime,
  type RunId,
  type WatchEvent,
} from '@waystone/core'
import { realmClock } from './realm-clock.ts'
import { newRealm, type Due, type Realm } from './scheduler.ts'
import { SimDisk } from './sim-disk.ts'
import { simLentKeys } from './sim-lent-keys.ts'
import type { SimWorld } from './sim-world.ts'

/** A device that follows a run live. */
export interface Follower {
  readonly device: string
  readonly hear: (event: WatchEvent) => void
  readonly lose: () => void
  /** When it was last heard of, in ms of the simulation. */
  readonly heard: () => number
}

/** One life of an object: between the first request and its end. */
interface Life {
  readonly realm: Realm
  readonly clock: Clock
  readonly keeper: Promise<RunKeeper>
  readonly blobs: Blobs
  readonly followers: Set<Follower>
}

/** One alarm may run this long, in ms. */
const alarmMsMax = 10 * 60_000
/** Small, so that runs go on in alarm after alarm. */
const stepsAnAlarm = 5
const againMsMax = 60 * 60_000

/** One object at the edge: a disk that stays, a keeper that may die at any time, one alarm. */
export class SimObject {
  readonly run: RunId
  readonly disk: SimDisk
  readonly #world: SimWorld
  readonly #agents: (realm: Realm) => readonly AnyAgent[]
  readonly #skew: () => number
  #life: Life | undefined
  #lives = 0
  /** Stored beside the log: when it is due, how often that was begun, and what the log had reached by then. */
  #due: { readonly at: number; readonly tries: number; readonly reached: number } | undefined
  /** The life that has begun it last. */
  #begunBy: Realm | undefined
  #alarm: Due | undefined
  /** Stored beside the log. */
  #lent: string | undefined
  #ringing = false

  constructor(
    run: RunId,
    world: SimWorld,
    agents: (realm: Realm) => readonly AnyAgent[],
    skew: () => number,
  ) {
    this.run = run
    this.disk = new SimDisk('edge', world)
    this.#world = world
    this.#agents = agents
    this.#skew = skew
  }

  /** Opens it, unless it is open. */
  wake(): Life {
    if (this.#life) return this.#life
    this.#lives += 1
    const { scheduler, dice } = this.#world
    const realm = newRealm(`edge ${this.run} life ${String(this.#lives)}`)
    const clock = realmClock(realm, { scheduler, dice, skew: this.#skew })
    const storage = this.disk.mount(realm)
    const followers = new Set<Follower>()
    const agents = this.#agents(realm)
    const atClock = (ms: number | undefined): number | undefined =>
      ms === undefined ? undefined : clock.now() - (scheduler.now - ms)
    // A life that has ended stores nothing any more.
    const place = {
      get: () => this.#lent,
      set: (lent: string | undefined) => void (realm.alive && (this.#lent = lent)),
    }
    const lapse = (): void =>
      void keeper.then(
        (kept) => kept.lapse().catch((error: unknown) => this.#failed('lapse', error)),
        () => undefined,
      )
    const lapses = (until: number): void =>
      void scheduler.after(Math.max(1, until - clock.now()), 'keys lapse', realm, lapse)
    const keeper: Promise<RunKeeper> = RunKeeper.open(this.run, {
      lentKeys: simLentKeys(clock, place, lapses),
      clock,
      random: (bytes) => dice.bytes(bytes),
      storage: {
        ...storage,
        store: { ...storage.store, lastAppend: (run) => atClock(this.disk.lastAppend(run)) },
      },
      due: this.#dueTime(realm, clock),
      followers: {
        tell: (event, except) => {
          for (const follower of followers) if (follower.device !== except) follower.hear(event)
        },
        tellDevice: (device, event) => {
          const theirs = [...followers].filter((one) => one.device === device)
          for (const follower of theirs) follower.hear(event)
          return theirs.length > 0
        },
        lastHeard: (device) => {
          const times = [...followers].filter((one) => one.device === device).map((one) => one.heard())
          return times.length === 0 ? undefined : atClock(Math.max(...times))
        },
      },
      streamNames: () => [],
      agents: () => agents,
      changed: () => undefined,
      failed: (where, error) => this.#failed(where, error),
    })
    this.#life = { realm, clock, keeper, blobs: storage.blobs, followers }
    // As the object does whose alarm was given up.
    if (this.#alarm === undefined) this.#arm()
    // A request may have broken while it opened: the next one opens it anew.
    keeper.catch(() => this.#die(realm))
    return this.#life
  }

  /** Ends it as a crash does, at whatever it waits for. */
  kill(): void {
    const life = this.#life
    if (life === undefined) return
    for (const operation of life.realm.pending) this.#world.coverage.hit('kill', `edge ${operation}`)
    if (life.realm.pending.size === 0) this.#world.coverage.hit('kill', 'edge idle')
    this.#die(life.realm)
  }

  /** The runtime gives an alarm up that has failed too often. */
  loseAlarm(): void {
    if (this.#alarm === undefined) return
    this.#alarm.cancelled = true
    this.#alarm = undefined
    this.#world.coverage.hit('alarm lost', this.#ringing ? 'ringing' : 'waiting')
  }

  #die(realm: Realm): void {
    const life = this.#life
    if (life?.realm !== realm) return
    realm.alive = false
    this.#life = undefined
    this.#ringing = false
    for (const follower of life.followers) follower.lose()
  }

  #dueTime(realm: Realm, clock: { now(): number }): DueTime {
    const { scheduler } = this.#world
    return {
      get: () => this.#due && clock.now() + (this.#due.at - scheduler.now),
      set: async (at) => {
        if (!realm.alive) return
        // As the object does: what ended a life before this one stays counted.
        const { tries, reached } = this.#due ?? { tries: 0, reached: 0 }
        const due = scheduler.now + Math.max(0, at - clock.now())
        this.#due = { at: due, tries: this.#begunBy === realm ? 0 : tries, reached }
        this.#arm()
      },
      delete: async () => {
        if (!realm.alive) return
        this.#due = undefined
        this.#arm()
      },
    }
  }

  #arm(): void {
    if (this.#alarm) this.#alarm.cancelled = true
    this.#alarm = undefined
    const due = this.#due
    if (due === undefined) return
    const { scheduler } = this.#world
    this.#alarm = scheduler.after(
      Math.max(1, due.at - scheduler.now),
      'alarm',
      undefined,
      () => void this.#ring(),
    )
  }

  async #ring(): Promise<void> {
    const { scheduler } = this.#world
    this.#alarm = undefined
    // It goes on already; when that is over the alarm is set again.
    if (this.#ringing) return
    this.#ringing = true
    const reached = this.disk.lastAppend(this.run) ?? 0
    const before = this.#due?.reached === reached ? this.#due.tries : 0
    const tries = before + 1
    // Should the object die over it, this is what brings it back.
    this.#due = { at: scheduler.now + Math.min(watchdogMs * 2 ** before, againMsMax), tries, reached }
    this.#arm()
    const { realm, clock, keeper } = this.wake()
    this.#begunBy = realm
    try {
      await (await keeper).alarm({ until: clock.now() + alarmMsMax, steps: stepsAnAlarm, tries })
    } catch (error) {
      this.#failed('alarm', error)
    }
    if (!realm.alive) return
    this.#ringing = false
    this.#arm()
  }

  #failed(where: string, error: unknown): void {
    const isOurs = !(error instanceof WaystoneError) || error.code === 'bug'
    if (isOurs) this.#world.fail(`the edge failed in ${where}: ${String((error as Error).stack)}`)
  }
}
