import type { Budget } from '../ports/inbox.ts'
import { countAboveZero, msAboveZero, numberAboveZero } from './above-zero.ts'
import type { Duration } from './duration.ts'

/**
 * What a run may use until it pauses and asks; what is not named has no limit. Each counts from the start of the run, or
 * from when a person last allowed it more. What is under way when a limit is reached is finished and counted.
 */
export interface BudgetOption {
  /** Steps, streams, artifacts and effects that have ended, with children that were started. */
  readonly steps?: number
  /** How long bodies have run: several at once count once, waiting does not count. */
  readonly time?: Duration
  /** What bodies have reported with `cost`, in whatever unit you count. */
  readonly cost?: number
}

/** A budget as it is stored. Throws `input_refused` for a limit that is not above 0. */
export function budgetOf(option: BudgetOption): Budget {
  const steps = countAboveZero('`steps` of a budget', option.steps)
  const ms = msAboveZero('`time` of a budget', option.time)
  const cost = numberAboveZero('`cost` of a budget', option.cost)
  return {
    ...(steps === undefined ? {} : { steps }),
    ...(ms === undefined ? {} : { ms }),
    ...(cost === undefined ? {} : { cost }),
  }
}
