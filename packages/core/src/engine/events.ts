import type { Clock } from '../ports/clock.ts'

/** Counts what happens, and lets many wait for the next of it. */
export class Events {
  readonly #clock: Clock
  readonly #wakers = new Set<() => void>()
  #count = 0
  #over = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many events there were. */
  get count(): number {
    return this.#count
  }

  /** Something happened. */
  happen(): void {
    this.#count += 1
    this.#wake()
  }

  /** Nothing will happen any more: nobody waits from now on. */
  end(): void {
    this.#over = true
    this.#wake()
  }

  /** True when an event came, or the end; false when `ms` were over first. */
  async next(ms?: number): Promise<boolean> {
    if (this.#over) return true
    const seen = this.#count
    const woken = new Promise<void>((resolve) => this.#wakers.add(resolve))
    const stop = new AbortController()
    await (ms === undefined ? woken : Promise.race([woken, this.#clock.wait(ms, stop.signal)]))
    stop.abort()
    return seen !== this.#count || this.#over
  }

  /** Resolves after `tasks` tasks in a row in which nothing happened, or at once when `cut` says so. */
  async quiet(tasks: number, cut: () => boolean): Promise<void> {
    let seen = this.#count
    for (let still = 0; still < tasks && !this.#over && !cut();) {
      await this.#clock.task()
      still = seen === this.#count ? still + 1 : 0
      seen = this.#count
    }
  }

  #wake(): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const wake of wakers) wake()
  }
}
