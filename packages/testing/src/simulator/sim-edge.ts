import {
  childEntry,
  RunFamily,
  RunKeeper,
  WaystoneError,
  writtenBy,
  type AnyAgent,
  type Blobs,
  type Clock,
  type FamilyAnswer,
  type FamilyQuestion,
  type Relative,
  type RunId,
  type WatchEvent,
} from '@waystone/core'
import { realmClock } from './realm-clock.ts'
import { newRealm, type Realm } from './scheduler.ts'
import { SimDisk } from './sim-disk.ts'
import { SimDue } from './sim-due.ts'
import { simLentKeys } from './sim-lent-keys.ts'
import { askRelatives, simRelatives, type Askable } from './sim-relatives.ts'
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
  readonly family: RunFamily
  readonly agents: readonly AnyAgent[]
}

/** What an object is made with. */
export interface ObjectOptions {
  readonly world: SimWorld
  readonly agents: (realm: Realm) => readonly AnyAgent[]
  /** How far its clock is from the simulation's, in ms. */
  readonly skew: () => number
  /** The object of another run. */
  readonly object: (run: RunId) => Askable
}

/** One alarm may run this long, in ms. */
const alarmMsMax = 10 * 60_000
/** Small, so that runs go on in alarm after alarm. */
const stepsAnAlarm = 5

/** One object at the edge: a disk that stays, a keeper that may die at any time, alarms. */
export class SimObject implements Askable {
  readonly run: RunId
  readonly disk: SimDisk
  readonly #options: ObjectOptions
  readonly #world: SimWorld
  readonly #runDue: SimDue
  readonly #familyDue: SimDue
  #life: Life | undefined
  #lives = 0
  /** Stored beside the log. */
  #lent: string | undefined
  /** Stored beside the log. */
  readonly #relatives = new Map<RunId, Relative>()

  constructor(run: RunId, options: ObjectOptions) {
    const { world } = options
    this.run = run
    this.disk = new SimDisk('edge', world, { isOfObject: true })
    this.#options = options
    this.#world = world
    this.#runDue = new SimDue(world, {
      alarm: 'alarm',
      reached: () => this.disk.lastAppend(run) ?? 0,
      begin: (tries) =>
        this.#atWork('alarm', async (keeper, { clock }) => {
          await keeper.alarm({ until: clock.now() + alarmMsMax, steps: stepsAnAlarm, tries })
        }),
    })
    this.#familyDue = new SimDue(world, {
      alarm: 'alarm of a family',
      reached: () => 0,
      settles: true,
      begin: () => this.#atWork('family', (keeper, { family }) => family.tell(keeper)),
    })
  }

  /** Opens it, unless it is open. */
  wake(): Life {
    if (this.#life) return this.#life
    this.#lives += 1
    const { scheduler, dice } = this.#world
    const { skew } = this.#options
    const realm = newRealm(`edge ${this.run} life ${String(this.#lives)}`)
    const clock = realmClock(realm, { scheduler, dice, skew })
    const storage = this.disk.mount(realm)
    const followers = new Set<Follower>()
    const agents = this.#options.agents(realm)
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
    const family = new RunFamily({
      relatives: simRelatives(this.#relatives, realm),
      due: this.#familyDue.mount(realm, clock),
      ask: askRelatives(realm, this.run, this.#options),
      clock,
    })
    const keeper: Promise<RunKeeper> = RunKeeper.open(this.run, {
      children: family.children,
      lentKeys: simLentKeys(clock, place, lapses),
      clock,
      random: (bytes) => dice.bytes(bytes),
      storage: {
        ...storage,
        store: { ...storage.store, lastAppend: (run) => atClock(this.disk.lastAppend(run)) },
      },
      due: this.#runDue.mount(realm, clock),
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
    }).then((kept) => {
      if (kept.log.fold) void family.changed(kept.log.fold)
      kept.log.listen(({ entries }, fold) => void family.changed(fold, entries))
      return kept
    })
    this.#life = { realm, clock, keeper, blobs: storage.blobs, followers, family, agents }
    this.#runDue.rearm()
    this.#familyDue.rearm()
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
    this.#runDue.lose()
    this.#familyDue.lose()
  }

  async answer(by: RunId, question: FamilyQuestion): Promise<FamilyAnswer> {
    const { keeper, family, agents } = this.wake()
    const kept = await keeper
    if (question.type !== 'start') return family.answer(by, question, kept)
    const written = writtenBy((bytes) => this.#world.dice.bytes(bytes))
    await kept.start(childEntry(agents, { ...question, run: this.run, parent: by }, written))
    return { isKnown: true }
  }

  #die(realm: Realm): void {
    const life = this.#life
    if (life?.realm !== realm) return
    realm.alive = false
    this.#life = undefined
    this.#runDue.died()
    this.#familyDue.died()
    for (const follower of life.followers) follower.lose()
  }

  /** Does something in a life of the object. What fails there says so, and is begun again. */
  #atWork(where: string, work: (keeper: RunKeeper, life: Life) => Promise<void>) {
    const life = this.wake()
    const doing = life.keeper.then((keeper) => work(keeper, life))
    doing.catch((error: unknown) => this.#failed(where, error))
    return { realm: life.realm, work: doing }
  }

  #failed(where: string, error: unknown): void {
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
    const ours = errors.find((one) => !(one instanceof WaystoneError) || one.code === 'bug')
    if (ours) this.#world.fail(`the edge failed in ${where}: ${String((ours as Error).stack)}`)
  }
}
