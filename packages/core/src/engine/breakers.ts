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
  /** Nothing is tried before, in ms since 1970; 0 while it is closed. */
  openUntil: number
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
    // One try decides; should nobody hear of it again, another one may after as long.
    breaker.openUntil = now + durationMs(cooldown ?? '30s')
    return undefined
  }

  /** Tells how a try ended; `undefined` when it was given up, which says nothing. */
  ended({ name, failures, cooldown }: BreakerOptions, succeeded: boolean | undefined): void {
    const breaker = this.#byName.get(name) ?? { failures: 0, openUntil: 0 }
    if (succeeded === undefined && breaker.openUntil > 0) breaker.openUntil = this.#clock.now()
    if (succeeded) this.#byName.delete(name)
    if (succeeded !== false) return
    this.#byName.set(name, breaker)
    breaker.failures += 1
    if (breaker.failures >= (failures ?? 5))
      breaker.openUntil = this.#clock.now() + durationMs(cooldown ?? '30s')
  }
}
