import { toBase64 } from './bytes.ts'
import { kindOf, put } from './value.ts'
import { enter, leave, refuse, type Walk } from './walk.ts'

/** A walk that copies what it meets, as values or (`encode`) in their stored form. */
export interface CopyWalk extends Walk {
  readonly encode: boolean
  /** Asked for every object first; what it gives, other than `undefined`, is taken instead of a copy. */
  adopt: ((value: object) => unknown) | undefined
}

/**
 * A deep copy that shares nothing with `value`. Throws `value_refused` at the first thing no state may hold.
 */
export function copy(value: unknown, walk: CopyWalk): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (!walk.encode || (Number.isFinite(value) && !Object.is(value, -0))) return value
      return tag('number', value === 0 ? '-0' : String(value))
    case 'bigint':
      return walk.encode ? tag('bigint', String(value)) : value
    case 'undefined':
      return walk.encode ? { $: 'undefined' } : value
    case 'object':
      return value === null ? null : (walk.adopt?.(value) ?? copyObject(value, walk))
    default:
      return refuse(walk, `is a ${typeof value}: keep data in the state and code in the agent`)
  }
}

/** `copy` of an object that is not to be adopted itself; what it holds may be. */
export function copyObject(value: object, walk: CopyWalk): object {
  const { encode } = walk
  switch (kindOf(value)) {
    case 'object':
      return copyPlain(value as Record<string, unknown>, walk)
    case 'array':
      return copyArray(value as readonly unknown[], walk)
    case 'map': {
      const entries = copyMap(value as ReadonlyMap<unknown, unknown>, walk)
      return encode ? tag('map', entries) : new Map(entries)
    }
    case 'set': {
      const items = copySet(value as ReadonlySet<unknown>, walk)
      return encode ? tag('set', items) : new Set(items)
    }
    case 'date':
      return copyDate(refuseExtras(value as Date, walk), encode)
    case 'bytes':
      return encode ? tag('bytes', toBase64(value as Uint8Array)) : new Uint8Array(value as Uint8Array)
    default:
      return refuse(walk, `is ${described(value)}`)
  }
}

function tag(kind: string, v: unknown): object {
  return { $: kind, v }
}

function copyPlain(source: Record<string, unknown>, walk: CopyWalk): object {
  const at = enter(walk, source)
  const out = {}
  for (const key of Reflect.ownKeys(source)) {
    walk.keys[at] = key
    if (typeof key === 'symbol') refuse(walk, 'is named by a symbol, and only strings can be stored')
    refuseAccessor(source, key, walk)
    // A real key of `$` signs only gets one more, so that it is never taken for a tag.
    const name = walk.encode && key.startsWith('$') && /^\$+$/.test(key) ? `$${key}` : key
    put(out, name, copy(source[key], walk))
  }
  leave(walk)
  return out
}

// Normative optional in ECMA-262 (Annex B.2.2), and in every engine: asking for the descriptors of a million
// numbers instead takes V8 four times as long.
const { __lookupGetter__: getterOf } = Object.prototype as unknown as {
  __lookupGetter__(this: unknown, key: number): unknown
}

function copyArray(source: readonly unknown[], walk: CopyWalk): object {
  const at = enter(walk, source)
  const out: unknown[] = []
  for (let i = 0; i < source.length; i++) {
    walk.keys[at] = i
    const item = source[i]
    if (item === undefined || getterOf.call(source, i)) refuseAccessor(source, i, walk)
    out.push(copy(item, walk))
  }
  // Own keys are the indices in order and then whatever else was put on the array. Hidden ones are not looked
  // for: in V8 that takes four times as long.
  const extra = Object.keys(source)[source.length] ?? Object.getOwnPropertySymbols(source)[0]
  if (extra !== undefined) {
    walk.keys[at] = extra
    refuse(walk, 'is a property on an array, and only items can be stored')
  }
  leave(walk)
  return out
}

function copyMap(source: ReadonlyMap<unknown, unknown>, walk: CopyWalk): [unknown, unknown][] {
  refuseExtras(source, walk)
  const at = enter(walk, source)
  const out: [unknown, unknown][] = []
  for (const [key, value] of source) {
    walk.keys[at] = out.length * 2
    const copiedKey = copy(key, walk)
    walk.keys[at] = out.length * 2 + 1
    out.push([copiedKey, copy(value, walk)])
  }
  leave(walk)
  return out
}

function copySet(source: ReadonlySet<unknown>, walk: CopyWalk): unknown[] {
  refuseExtras(source, walk)
  const at = enter(walk, source)
  const out: unknown[] = []
  for (const item of source) {
    walk.keys[at] = out.length
    out.push(copy(item, walk))
  }
  leave(walk)
  return out
}

function copyDate(date: Date, encode: boolean): object {
  const time = date.getTime()
  if (!encode) return new Date(time)
  return tag('date', Number.isNaN(time) ? null : date.toISOString())
}

function refuseExtras<T extends object>(value: T, walk: Walk): T {
  const [extra] = Reflect.ownKeys(value)
  if (extra !== undefined) refuse(walk, `has a property of its own, ${String(extra)}, which cannot be stored`)
  return value
}

function refuseAccessor(container: object, key: PropertyKey, walk: Walk): void {
  const property = Object.getOwnPropertyDescriptor(container, key)
  if (!property) refuse(walk, 'is a hole: put null or undefined there')
  if (!property.enumerable || property.get || property.set) {
    refuse(walk, 'is an accessor or hidden, and only plain properties can be stored')
  }
}

function described(value: object): string {
  const name: unknown = (Object.getPrototypeOf(value) as object | null)?.constructor.name
  return `a ${String(name || 'class instance')}: ${advice(value, String(name))}`
}

function advice(value: object, name: string): string {
  if (value instanceof Error) return 'keep its name and message'
  if (ArrayBuffer.isView(value))
    return 'keep its bytes, new Uint8Array(it.buffer, it.byteOffset, it.byteLength)'
  if (/^(Shared)?ArrayBuffer$/.test(name)) return 'keep new Uint8Array(it)'
  if (name === 'Promise') return 'await it first'
  if (name === 'RegExp') return 'keep its source and flags'
  if (name === 'URL') return 'keep its href'
  return 'keep a plain object with what you need of it'
}
