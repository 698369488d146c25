import { isObject, kindOf, type Kind } from './value.ts'

/**
 * True when two values are the same in everything that is stored: property order, the order of Map and Set,
 * NaN (equal to itself) and -0 (not 0) included. The same reference is the same value without a look inside.
 * What no state may hold is only equal to itself.
 */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (!isObject(a) || !isObject(b)) return false
  const kind = kindOf(a)
  return kind !== undefined && kind === kindOf(b) && sameByKind[kind](a as never, b as never)
}

/** True when two lists hold the same values in the same order; bytes are lists, too. */
function sameItems(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false
  return true
}

type Plain = Readonly<Record<string, unknown>>
type Members = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>

function sameProperties(a: Plain, b: Plain): boolean {
  const keys = Object.keys(a)
  const others = Object.keys(b)
  if (keys.length !== others.length) return false
  // All names first: they are cheap, and where they are the same no inherited name can be read below.
  return keys.every((key, i) => key === others[i]) && keys.every((key) => sameValue(a[key], b[key]))
}

function sameMembers(a: Members, b: Members): boolean {
  return a.size === b.size && sameItems([...a], [...b])
}

const sameByKind: { readonly [kind in Kind]: (a: never, b: never) => boolean } = {
  object: sameProperties,
  array: sameItems,
  bytes: sameItems,
  map: sameMembers,
  set: sameMembers,
  date: (a: Date, b: Date) => Object.is(a.getTime(), b.getTime()),
}
