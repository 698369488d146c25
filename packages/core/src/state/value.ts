/** What a state may hold: JSON and the kinds that the codec tags. `unknown` becomes one by being copied. */
export type Value =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | ReadonlySet<Value>
  | { readonly [key: string]: Value }

/** The kinds of values that are objects for JavaScript. */
export type Kind = 'object' | 'array' | 'date' | 'map' | 'set' | 'bytes'

/** Containers and other values nested in each other: the state counts as the first level. */
export const valueLevelsMax = 500

/** Strings shorter than this, in UTF-16 units, are stored whole: a splice would not be shorter. */
export const spliceUnitsMin = 64

/**
 * The kind of an object, or `undefined` when no state may hold it. Objects of any realm and objects without a
 * prototype count as plain; an instance of a class, also of one that extends a kind kept, has no kind.
 */
export function kindOf(value: object): Kind | undefined {
  const proto: unknown = Object.getPrototypeOf(value)
  // Array.prototype is itself an array, in every realm; the prototype of a subclass is not.
  if (Array.isArray(value)) return Array.isArray(proto) ? 'array' : undefined
  if (proto === Object.prototype || proto === null) return 'object'
  if (proto === Date.prototype) return 'date'
  if (proto === Map.prototype) return 'map'
  if (proto === Set.prototype) return 'set'
  if (proto === Uint8Array.prototype) return 'bytes'
  const root = Object.getPrototypeOf(proto) === null && Object.hasOwn(proto as object, 'isPrototypeOf')
  return root ? 'object' : undefined
}

/** True for an object that is neither `null` nor a function. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** `Array.isArray` that keeps what is known about the items. */
export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

/** Sets an own property, also one named `__proto__`, which a plain assignment would take as the prototype. */
export function put(target: object, key: PropertyKey, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
  } else {
    ;(target as Record<PropertyKey, unknown>)[key] = value
  }
}
