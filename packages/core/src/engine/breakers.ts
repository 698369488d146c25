import type { Clock } from '../ports/clock.ts'
import { durationMs, type Duration } from './duration.ts'

/** A circuit breaker as a step names it; all steps of a host that name it share it. */
export interface BreakerOptions {
  readonly name: string
  /** How many failures in a row open it. Default 5. */
  readonly failures?: number
  /** How long nothing is tried once it is open; then one try decides. Default 30 s. */
  readonly cooldown?: Duration
}

interface Breaker {
  failures: number
  /** Nothing is tried before, in ms since 1970. */
  openUntil: number
  /** The one try after the cooldown is under way. */
  trying: boolean
}

/** The circuit breakers of one host: while a dependency fails, nobody waits for it, and nobody hammers it. */
export class Breakers {
  readonly #clock: Clock
  readonly #byName = new Map<string, Breaker>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Asks for a try: undefined when it may start now, else when to ask again, in ms since 1970. */
  pass({ name, cooldown }: BreakerOptions): number | undefined {
    const breaker = this.#byName.get(name)
    if (breaker === undefined || breaker.openUntil === 0) return undefined
    const now = this.#clock.now()
    if (now < breaker.openUntil) return breaker.openUntil
    if (breaker.trying) return now + durationMs(cooldown ?? '30s')
    breaker.trying = true
    return undefined
  }

  /** Tells how a try ended; `undefined` when it was given up, which says nothing. */
  ended({ name, failures, cooldown }: BreakerOptions, succeeded: boolean | undefined): void {
    const breaker = this.#byName.get(name) ?? { failures: 0, openUntil: 0, trying: false }
    breaker.trying = false
    if (succeeded) this.#byName.delete(name)
    if (succeeded !== false) return
    this.#byName.set(name, breaker)
    breaker.failures += 1
    if (breaker.failures >= (failures ?? 5))
      breaker.openUntil = this.#clock.now() + durationMs(cooldown ?? '30s')
  }
}
