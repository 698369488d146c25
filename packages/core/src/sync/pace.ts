import { limits } from '../limits.ts'

/** What a device has seen of pushing one run: what a push costs, and how often something fails. */
export interface Pace {
  /** Since when, by the clock of this host, in ms since 1970. */
  readonly since: number
  /** Outages, each once however often it was tried meanwhile, and hosts that ended in the middle of a turn. */
  readonly failures: number
  /** How long pushes take, in ms: an average in which the newest counts most. Undefined before the first. */
  readonly costMs: number | undefined
}

/** How much the newest push counts: about the last ten make the average. */
const newestCounts = 0.2
/** Before anything is known, one failure an hour is expected; it is forgotten as more is seen. */
const firstFailureMs = 3_600_000

/** Nothing has been seen yet but `failures`, which were found as the run was opened. */
export function newPace(now: number, failures = 0): Pace {
  return { since: now, failures, costMs: undefined }
}

/** After a push that took `ms`. */
export function withPush(pace: Pace, ms: number): Pace {
  // A clock that was set back, or a laptop that slept, says nothing of what a push costs.
  const took = Math.min(Math.max(ms, 0), limits.syncIntervalMsMax)
  const costMs = pace.costMs === undefined ? took : pace.costMs + newestCounts * (took - pace.costMs)
  return { ...pace, costMs }
}

/** After a failure. */
export function withFailure(pace: Pace): Pace {
  return { ...pace, failures: pace.failures + 1 }
}

/** The time between two failures that what was seen so far lets expect, in ms. */
export function meanTimeBetweenFailures({ since, failures }: Pace, now: number): number {
  return (Math.max(0, now - since) + firstFailureMs) / (failures + 1)
}

/**
 * How long entries gather, in ms: where the cost of pushing often and what is lost on average by pushing seldom are least
 * together, sqrt(2 x cost of a push x mean time between failures). J. W. Young, "A first order approximation to the optimum
 * checkpoint interval", Communications of the ACM 17(9), 1974; J. T. Daly, "A higher order estimate of the optimum checkpoint
 * interval for restart dumps", Future Generation Computer Systems 22(3), 2006, says how little the higher orders add where a
 * push is short beside the time between failures. Never outside of `limits.syncIntervalMsMin` and `syncIntervalMsMax`.
 */
export function adaptiveIntervalMs(pace: Pace, now: number): number {
  const best = Math.sqrt(2 * (pace.costMs ?? 0) * meanTimeBetweenFailures(pace, now))
  return Math.round(Math.min(Math.max(best, limits.syncIntervalMsMin), limits.syncIntervalMsMax))
}
