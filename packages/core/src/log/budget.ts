import type { Budget } from '../ports/inbox.ts'

/** What a run has used. */
export interface Spent {
  readonly steps: number
  readonly ms: number
  readonly cost: number
}

/** The budget of a run, and what it has used. A fork goes on with that of the checkpoint that it began at. */
export interface RunBudget {
  readonly limits: Budget
  /** Since the run began, or since a person last allowed it more: what the limits are held against. */
  readonly used: Spent
  /** Since the run began. */
  readonly total: Spent
}

/** A limit that a run has come to. */
export interface LimitReached {
  readonly limit: keyof Budget
  readonly expected: number
  readonly found: number
}

const nothing: Spent = { steps: 0, ms: 0, cost: 0 }

/** The budget of a run that has used nothing. */
export function newBudget(limits: Budget): RunBudget {
  return { limits, used: nothing, total: nothing }
}

/** The budget after a person has allowed these limits: counted from there. */
export function allowed(before: RunBudget | undefined, limits: Budget): RunBudget {
  return { limits, used: nothing, total: before?.total ?? nothing }
}

/** The budget after something more was used. */
export function withSpent({ limits, used, total }: RunBudget, spent: Spent): RunBudget {
  return { limits, used: plus(used, spent), total: plus(total, spent) }
}

/** The first limit that nothing may be started beyond; `begun` steps count that are not recorded yet. */
export function limitReached({ limits, used }: RunBudget, begun: number): LimitReached | undefined {
  const now = { ...used, steps: used.steps + begun }
  for (const limit of ['steps', 'ms', 'cost'] as const) {
    const expected = limits[limit]
    if (expected !== undefined && now[limit] >= expected) return { limit, expected, found: now[limit] }
  }
  return undefined
}

function plus(one: Spent, other: Spent): Spent {
  return { steps: one.steps + other.steps, ms: one.ms + other.ms, cost: one.cost + other.cost }
}
