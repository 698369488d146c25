import { WaystoneError } from '../errors.ts'
import type { Budget } from '../ports/inbox.ts'
import { durationMs, type Duration } from './duration.ts'

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
  const { steps, time, cost } = option
  if (steps !== undefined && !(Number.isSafeInteger(steps) && steps > 0))
    throw refused('steps', 'a whole number from 1 on', steps)
  if (cost !== undefined && !(Number.isFinite(cost) && cost > 0))
    throw refused('cost', 'a number above 0', cost)
  const ms = time === undefined ? undefined : durationMs(time)
  if (ms === 0) throw refused('time', 'a duration above 0', time)
  return {
    ...(steps === undefined ? {} : { steps }),
    ...(ms === undefined ? {} : { ms }),
    ...(cost === undefined ? {} : { cost }),
  }
}

function refused(name: string, expected: string, found: unknown): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `the \`${name}\` of a budget: expected ${expected}, found ${String(found)}`,
  )
}
