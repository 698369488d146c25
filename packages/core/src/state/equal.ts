import { sameBytes } from './bytes.ts'
import { classOf, type OpaqueValue } from './classes.ts'
import { errorClassName, errorParts } from './error-parts.ts'
import { isBytesKind, isObject, kindOf, type BytesKind, type Kind } from './value.ts'
import { bytesOf } from './views.ts'

/** Pairs of objects that are known to differ: who compares level by level looks into each of them once. */
export type Unequal = WeakMap<object, object>

/**
 * True when two values are the same in everything that is stored: property order, the order of Map and Set,
 * NaN (equal to itself) and -0 (not 0) included. The same reference is the same value without a look inside.
 * What no state may hold is only equal to itself. Notes in `unequal`, when given, what it found to differ.
 */
export function sameValue(a: unknown, b: unknown, unequal?: Unequal): boolean {
  if (Object.is(a, b)) return true
  if (!isObject(a) || !isObject(b) || unequal?.get(a) === b) return false
  const kind = kindOf(a)
  const same =
    kind !== undefined &&
    kind === kindOf(b) &&
    (isBytesKind(kind)
      ? sameBytes(bytesOf(a), bytesOf(b))
      : sameByKind[kind](a as never, b as never, unequal))
  if (!same) unequal?.set(a, b)
  return same
}

/** True when the same stands at two positions of two lists: a hole is only the same as a hole. */
export function sameItem(
  a: readonly unknown[],
  i: number,
  b: readonly unknown[],
  j: number,
  unequal?: Unequal,
): boolean {
  const item = a[i]
  return sameValue(item, b[j], unequal) && (item !== undefined || i in a === j in b)
}

function sameItems(a: readonly unknown[], b: readonly unknown[], unequal?: Unequal): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!sameItem(a, i, b, i, unequal)) return false
  return true
}

type Plain = Readonly<Record<string, unknown>>
type Members = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>

function sameProperties(a: Plain, b: Plain, unequal?: Unequal): boolean {
  const keys = Object.keys(a)
  const others = Object.keys(b)
  if (keys.length !== others.length) return false
  // All names first: they are cheap, and where they are the same no inherited name can be read below.
  return keys.every((key, i) => key === others[i]) && keys.every((key) => sameValue(a[key], b[key], unequal))
}

function sameMembers(a: Members, b: Members, unequal?: Unequal): boolean {
  return a.size === b.size && sameItems([...a], [...b], unequal)
}

type Same = (a: never, b: never, unequal?: Unequal) => boolean

const sameByKind: { readonly [kind in Exclude<Kind, BytesKind>]: Same } = {
  object: sameProperties,
  array: sameItems,
  map: sameMembers,
  set: sameMembers,
  date: (a: Date, b: Date) => Object.is(a.getTime(), b.getTime()),
  regexp: (a: RegExp, b: RegExp) =>
    a.source === b.source && a.flags === b.flags && Object.is(a.lastIndex, b.lastIndex),
  url: (a: { readonly href: string }, b: { readonly href: string }) => a.href === b.href,
  error: (a: object, b: object, unequal) =>
    errorClassName(a) === errorClassName(b) && sameProperties(errorParts(a), errorParts(b), unequal),
  class: (a: object, b: object) => {
    const kept = classOf(a)
    return kept === classOf(b) && sameValue(kept?.encode(a), kept?.encode(b))
  },
  opaque: (a: OpaqueValue, b: OpaqueValue, unequal) =>
    a.kind === b.kind && sameValue(a.value, b.value, unequal),
}
