import type { Clock } from '../ports/clock.ts'
import { Waker } from '../waker.ts'
import { nextWithin } from './in-time.ts'

/** Counts what happens, and lets many wait for the next of it. */
export class Events {
  readonly #clock: Clock
  readonly #waker = new Waker()
  #count = 0
  #acts = 0
  #over = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many events there were. */
  get count(): number {
    return this.#count
  }

  /** The turn's own code did something: called, ended a branch, returned. */
  act(): void {
    this.#acts += 1
    this.happen()
  }

  /** Something happened. */
  happen(): void {
    this.#count += 1
    this.#waker.wake()
  }

  /** Nothing will happen any more: nobody waits from now on. */
  end(): void {
    this.#over = true
    this.#waker.wake()
  }

  /** True when an event came, or the end; false when `ms` were over first. */
  async next(ms?: number): Promise<boolean> {
    if (this.#over) return true
    const seen = this.#count
    await nextWithin(this.#clock, ms, this.#waker)
    return seen !== this.#count || this.#over
  }

  /** Resolves after `tasks` tasks in a row in which the turn did nothing, or at once when `cut` says so. */
  async quiet(tasks: number, cut: () => boolean): Promise<void> {
    let seen = this.#acts
    for (let still = 0; still < tasks && !this.#over && !cut();) {
      await this.#clock.task()
      still = seen === this.#acts ? still + 1 : 0
      seen = this.#acts
    }
  }
}
