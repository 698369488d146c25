import { WaystoneError } from '../errors.ts'
import type { Used } from '../log/bodies.ts'

/** How much bodies have used that no record tells yet. */
export class Meter {
  readonly #now: () => number
  #working = 0
  #since = 0
  #worked = 0
  /** What bodies had reported that were given up before they had an outcome. */
  #left = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Counts bodies that run. */
  work(change: 1 | -1): void {
    this.#count()
    this.#working += change
  }

  /** A body has no outcome to report its cost with. */
  leave(cost: number): void {
    this.#left += cost
  }

  /** What a record of a body that took `ms`, and reported `cost`, tells. */
  take(ms: number, cost: number): Used {
    this.#count()
    const worked = Math.max(0, Math.round(this.#worked))
    this.#worked = 0
    return { ...(worked === ms ? {} : { worked }), ...(cost === 0 ? {} : { cost }) }
  }

  /** What a race tells of its losers. */
  takeLeft(): Used {
    const cost = this.#left
    this.#left = 0
    return cost === 0 ? {} : { cost }
  }

  /** Time counts once, however many bodies run in it. */
  #count(): void {
    const now = this.#now()
    if (this.#working > 0) this.#worked += Math.max(0, now - this.#since)
    this.#since = now
  }
}

/** Adds to what a body has cost. Throws `input_refused` for less than 0. */
export function reportCost(of: { readonly path: string; cost: number }, amount: number): void {
  if (Number.isFinite(amount) && amount >= 0) {
    of.cost += amount
    return
  }
  throw new WaystoneError(
    'input_refused',
    `"${of.path}" reports a cost: expected a number from 0 on, found ${String(amount)}`,
    { path: of.path },
  )
}
