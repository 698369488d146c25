import { applyDelta } from './apply.ts'
import { encodeValue, type Value } from './codec.ts'
import { diff } from './diff.ts'
import { sameValue } from './equal.ts'
import type { Delta } from './ops.ts'

/** The delta from `base` to `next`, `proven`. */
export function provenDiff(base: Value, next: Value): Delta {
  return proven(base, diff(base, next), next)
}

/**
 * A delta, applied on trial before anybody builds on it: what is acknowledged can be read back. Costs what has changed, and a
 * look at each item of a list that has. Where it does not come to `next` the whole value is one: larger, and right.
 */
export function proven(base: Value, delta: Delta, next: Value): Delta {
  return comesTo(base, delta, next) ? delta : [['set', [], encodeValue(next)]]
}

function comesTo(base: Value, delta: Delta, next: Value): boolean {
  try {
    return sameValue(applyDelta(base, delta), next)
  } catch {
    return false
  }
}
