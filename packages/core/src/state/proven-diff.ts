import { applyDelta } from './apply.ts'
import { encodeValue, type Value } from './codec.ts'
import { diff } from './diff.ts'
import { sameValue } from './equal.ts'
import type { Delta } from './ops.ts'

/**
 * The delta from `base` to `next`, applied on trial before anybody builds on it: what is acknowledged can be read back. Costs what
 * has changed, and a look at each item of a list that has. Where a delta does not come to `next` the whole value is one:
 * larger, and right.
 */
export function provenDiff(base: Value, next: Value): Delta {
  const delta = diff(base, next)
  return comesTo(base, delta, next) ? delta : [['set', [], encodeValue(next)]]
}

function comesTo(base: Value, delta: Delta, next: Value): boolean {
  try {
    return sameValue(applyDelta(base, delta), next)
  } catch {
    return false
  }
}
