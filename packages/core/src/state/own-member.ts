import { copy } from './copy.ts'
import { isObject, type Value } from './value.ts'
import { startWalk } from './walk.ts'

/**
 * A key of a Map or an item of a Set, of its own when this very object is there already: two equal ones that came from one place are
 * two, as they were.
 */
export function ownMember<T>(there: { has(value: never): boolean }, member: T): T {
  if (!isObject(member) || !there.has(member as never)) return member
  return copy(member, { ...startWalk('value'), encode: false, adopt: undefined }) as T & Value
}
