import { watchdogMs, type Clock, type RunDue } from '@waystone/core'
import type { Due, Realm } from './scheduler.ts'
import type { SimWorld } from './sim-world.ts'

/** What is done when a time has come. */
export interface DueWork {
  /** What its alarm is called. */
  readonly alarm: string
  /** What has been reached: without anything new the next try waits longer. */
  readonly reached: () => number
  /** Begins it in a life of the object. */
  readonly begin: (tries: number) => { readonly realm: Realm; readonly work: Promise<unknown> }
  /** True for what is not done again when it has come back, unless it got another time. */
  readonly settles?: boolean
}

const againMsMax = 60 * 60_000

/** A time that is stored with an object, and its alarm. Work that ends a life comes again: it is put off before it begins. */
export class SimDue {
  readonly #world: SimWorld
  readonly #what: DueWork
  /** When it is due, how often that was begun, and what was reached by then. */
  #stored: { readonly at: number; readonly tries: number; readonly reached: number } | undefined
  /** The life that has begun it last, and whether it did so before the alarm. */
  #begunBy: { readonly realm: Realm; readonly isAhead: boolean } | undefined
  #alarm: Due | undefined
  #ringing = false

  constructor(world: SimWorld, what: DueWork) {
    this.#world = world
    this.#what = what
  }

  /** The time as one life sees it. */
  mount(realm: Realm, clock: Pick<Clock, 'now'>): RunDue {
    const { scheduler } = this.#world
    return {
      get: () => this.#stored && clock.now() + (this.#stored.at - scheduler.now),
      set: async (at) => {
        if (!realm.alive) return
        // As the object does: what ended a life before this one stays counted.
        const { tries, reached } = this.#stored ?? { tries: 0, reached: 0 }
        const due = scheduler.now + Math.max(0, at - clock.now())
        this.#stored = { at: due, tries: this.#begunBy?.realm === realm ? 0 : tries, reached }
        this.#arm()
      },
      delete: async () => {
        if (!realm.alive) return
        this.#stored = undefined
        this.#arm()
      },
      begin: async () => {
        const [reached, tries] = [this.#what.reached(), this.#triesBefore() + 1]
        if (!realm.alive) return tries
        this.#stored = { at: Math.min(this.#stored?.at ?? Infinity, scheduler.now), tries, reached }
        this.#begunBy = { realm, isAhead: true }
        this.#arm()
        return tries
      },
    }
  }

  /** The alarm of what was begun before it is no other try, in the same life. */
  #triesBefore(): number {
    if (this.#stored?.reached !== this.#what.reached()) return 0
    const { tries } = this.#stored
    return this.#begunBy?.isAhead && this.#begunBy.realm.alive ? Math.max(0, tries - 1) : tries
  }

  /** As the object does whose alarm was given up. */
  rearm(): void {
    if (this.#alarm === undefined) this.#arm()
  }

  /** The life is over in which it may have begun. */
  died(): void {
    this.#ringing = false
  }

  /** The runtime gives an alarm up that has failed too often. */
  lose(): void {
    if (this.#alarm === undefined) return
    this.#alarm.cancelled = true
    this.#alarm = undefined
    this.#world.coverage.hit('alarm lost', this.#ringing ? 'ringing' : 'waiting')
  }

  #arm(): void {
    if (this.#alarm) this.#alarm.cancelled = true
    this.#alarm = undefined
    const due = this.#stored
    if (due === undefined) return
    const { scheduler } = this.#world
    const ring = (): void => void this.#ring()
    this.#alarm = scheduler.after(Math.max(1, due.at - scheduler.now), this.#what.alarm, undefined, ring)
  }

  async #ring(): Promise<void> {
    const { scheduler } = this.#world
    this.#alarm = undefined
    // It goes on already; when that is over the alarm is set again.
    if (this.#ringing) return
    this.#ringing = true
    const [reached, before] = [this.#what.reached(), this.#triesBefore()]
    const tries = before + 1
    // Should the object die over it, this is what brings it back.
    const again = { at: scheduler.now + Math.min(watchdogMs * 2 ** before, againMsMax), tries, reached }
    this.#stored = again
    this.#arm()
    const { realm, work } = this.#what.begin(tries)
    this.#begunBy = { realm, isAhead: false }
    const isDone = await work.then(
      () => true,
      () => false,
    )
    if (!realm.alive) return
    this.#ringing = false
    if (isDone && this.#what.settles && this.#stored === again) this.#stored = undefined
    this.#arm()
  }
}
