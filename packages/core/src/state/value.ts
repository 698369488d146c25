import { classOf, OpaqueValue } from './classes.ts'

/** What core asks of a URL: its library of types knows none. */
interface Url {
  readonly href: string
  readonly searchParams: object
}

/**
 * What a state may hold: JSON and the kinds that the codec tags. `unknown` becomes one by being copied. An instance of a
 * registered class is one, too, which no type can say.
 */
export type Value =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | RegExp
  | Error
  | Url
  | ArrayBuffer
  | DataView
  | Uint8Array
  | Int8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | OpaqueValue
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | ReadonlySet<Value>
  | { readonly [key: string]: Value }

const viewNames = [
  'Int8',
  'Uint8Clamped',
  'Int16',
  'Uint16',
  'Int32',
  'Uint32',
  'Float16',
  'Float32',
  'Float64',
  'BigInt64',
  'BigUint64',
] as const

/** Kinds that are bytes: stored as base64, changed by regions. */
export type BytesKind = 'bytes' | 'arraybuffer' | 'dataview' | Lowercase<(typeof viewNames)[number]>

/** The kinds of values that are objects for JavaScript. */
export type Kind =
  'object' | 'array' | 'map' | 'set' | 'date' | 'regexp' | 'error' | 'url' | 'class' | 'opaque' | BytesKind

/** Containers and other values nested in each other: the state counts as the first level. */
export const valueLevelsMax = 500

/** Holes of one array: more are a mistake, or something else than a list. */
export const holesMax = 100_000

/** Strings shorter than this, in UTF-16 units, are stored whole: a splice would not be shorter. */
export const spliceUnitsMin = 64

/** A class of the language or the platform; a platform may lack some. */
type PlatformClass = (new (argument?: unknown) => object) & { readonly prototype: object }
const platform = globalThis as unknown as Readonly<Record<string, PlatformClass | undefined>>

/** The class of each kind that is bytes, where the platform has it. */
export const bytesClasses: ReadonlyMap<unknown, PlatformClass | undefined> = new Map<
  unknown,
  PlatformClass | undefined
>([
  ['bytes', platform['Uint8Array']],
  ['arraybuffer', platform['ArrayBuffer']],
  ['dataview', platform['DataView']],
  ...viewNames.map((name) => [name.toLowerCase(), platform[`${name}Array`]] as const),
])

/** The classes of errors that are kept, by their names. */
export const errorClasses: ReadonlyMap<unknown, PlatformClass | undefined> = new Map(
  ['', 'Eval', 'Range', 'Reference', 'Syntax', 'Type', 'URI', 'Aggregate'].map((name) => [
    `${name}Error`,
    platform[`${name}Error`],
  ]),
)

const kinds = new Map<unknown, Kind>([
  [Date.prototype, 'date'],
  [Map.prototype, 'map'],
  [Set.prototype, 'set'],
  [RegExp.prototype, 'regexp'],
  [OpaqueValue.prototype, 'opaque'],
  [platform['URL']?.prototype, 'url'],
])
for (const found of errorClasses.values()) kinds.set(found?.prototype, 'error')
for (const [kind, found] of bytesClasses) kinds.set(found?.prototype, kind as BytesKind)

/**
 * The kind of an object, or `undefined` when no state may hold it. Objects of any realm and objects without a
 * prototype count as plain; an instance of a class, also of one that extends a kind kept, has the kind `class` when the
 * class is registered, and none otherwise.
 */
export function kindOf(value: object): Kind | undefined {
  const proto: unknown = Object.getPrototypeOf(value)
  // Array.prototype is itself an array, in every realm; the prototype of a subclass is not.
  if (Array.isArray(value) && Array.isArray(proto)) return 'array'
  if (proto === Object.prototype || proto === null) return 'object'
  const kind = kinds.get(proto) ?? (classOf(value) && 'class')
  if (kind || Array.isArray(value)) return kind
  const root = Object.getPrototypeOf(proto) === null && Object.hasOwn(proto as object, 'isPrototypeOf')
  return root ? 'object' : undefined
}

/** True for a kind that is bytes. */
export function isBytesKind(kind: unknown): kind is BytesKind {
  return bytesClasses.has(kind)
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
