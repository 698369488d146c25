import type { Coverage } from './coverage.ts'
import type { Dice } from './dice.ts'
import type { Scheduler } from './scheduler.ts'

/** What all parts of a simulation share. */
export interface SimWorld {
  readonly dice: Dice
  readonly scheduler: Scheduler
  readonly coverage: Coverage
  /** Something that must never happen has happened. */
  fail(what: string): void
  /** A line of the story of this seed. */
  tell(what: string): void
}
