import { applyDelta } from './apply.ts'
import { encodeValue, type Value } from './codec.ts'
import { diff } from './diff.ts'
import { sameValue } from './equal.ts'
import type { Delta, Path } from './ops.ts'
import { isList, isObject } from './value.ts'

/** Items and properties of what a plain delta changes: more take longer to copy than such a delta is worth. */
const itemsMax = 2_000

/**
 * The delta from `base` to `next`. One in which parts move, or that has more than plain JSON, is applied on trial before anybody builds
 * on it, and so is every small one: what is acknowledged can be read back. The others only put, add and take away at their places
 * in long lists.
 */
export function provenDiff(base: Value, next: Value): Delta {
  const delta = diff(base, next)
  return hasTag(delta) || isSmall(base, delta) ? proven(base, delta, next) : delta
}

/** A delta, applied on trial. Where it does not come to `next` the whole value is one: larger, and right. */
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

/** True for JSON that stands for something else: see `encodeValue`, and what has moved. */
function hasTag(json: unknown): boolean {
  if (!isObject(json)) return false
  if (isList(json)) return json.some(hasTag)
  return Object.hasOwn(json, '$') || Object.values(json).some(hasTag)
}

/** True when little has to be copied to apply it. */
function isSmall(base: Value, delta: Delta): boolean {
  let items = 0
  for (const [, path] of delta) {
    items += itemsAlong(base, path)
    if (items > itemsMax) return false
  }
  return true
}

function itemsAlong(base: Value, path: Path): number {
  let items = 0
  let value: unknown = base
  for (const key of path) {
    if (!isObject(value)) break
    items += sizeOf(value)
    value = (value as Readonly<Record<string | number, unknown>>)[key]
  }
  return items + (isObject(value) ? sizeOf(value) : 0)
}

/** How many items or properties it has; of an object so many are counted at most. */
function sizeOf(value: object): number {
  if (isList(value)) return value.length
  if (value instanceof Map || value instanceof Set) return value.size
  let count = 0
  for (const _ in value) if (++count > itemsMax) break
  return count
}
