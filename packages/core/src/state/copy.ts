import { toBase64 } from './bytes.ts'
import { classOf, OpaqueValue } from './classes.ts'
import { errorClassName, errorParts, makeError } from './error-parts.ts'
import { holesMax, isBytesKind, kindOf, put, spliceUnitsMin, type BytesKind, type Value } from './value.ts'
import { bytesOf, viewOf } from './views.ts'
import { enter, leave, refuse, type Walk } from './walk.ts'

/** A walk that copies what it meets, as values or (`encode`) in their stored form. */
export interface CopyWalk extends Walk {
  readonly encode: boolean
  /** Asked for every object and long text first; what it gives, other than `undefined`, is taken instead of a copy. */
  adopt: ((value: object | string, walk: Walk) => unknown) | undefined
}

/**
 * A deep copy that shares nothing with `value`. Throws `value_refused` at the first thing no state may hold.
 */
export function copy(value: unknown, walk: CopyWalk): unknown {
  switch (typeof value) {
    case 'string':
      return (value.length >= spliceUnitsMin && walk.adopt?.(value, walk)) || value
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
      return value === null ? null : (walk.adopt?.(value, walk) ?? copyObject(value, walk))
    default:
      return refuse(walk, `is a ${typeof value}: keep data in the state and code in the agent`)
  }
}

/** `copy` of an object that is not to be adopted itself; what it holds may be. */
export function copyObject(value: object, walk: CopyWalk): object {
  const { encode } = walk
  const kind = kindOf(value)
  if (isBytesKind(kind)) return copyBytes(value, kind, walk)
  switch (kind) {
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
    case 'regexp':
      return copyRegExp(value as RegExp, walk)
    case 'url': {
      const { href } = refuseExtras(value as { readonly href: string }, walk)
      return encode ? tag('url', href) : new (value.constructor as new (href: string) => object)(href)
    }
    case 'error':
      return copyError(value, walk)
    case 'class':
      return copyInstance(value, walk)
    case 'opaque': {
      const { kind: stored, value: held } = value as OpaqueValue
      const copied = copy(held, walk)
      return encode ? tag(stored, copied) : new OpaqueValue(stored, copied as Value)
    }
    default:
      return refuse(walk, `is ${described(value)}`)
  }
}

function tag(kind: string, v: unknown): object {
  return { $: kind, v }
}

/** Copies properties; `owner` is the object that they are those of. */
function copyPlain(source: Record<string, unknown>, walk: CopyWalk, owner: object = source): object {
  const at = enter(walk, owner)
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
  let holes = 0
  for (let i = 0; i < source.length; i++) {
    walk.keys[at] = i
    const item = source[i]
    if (item === undefined && !(i in source)) {
      if (++holes > holesMax) refuse(walk, `is hole ${String(holes)} of an array: keep a Map or an object`)
      if (walk.encode) out.push({ $: 'hole' })
      else out.length++
      continue
    }
    if (item === undefined || getterOf.call(source, i)) refuseAccessor(source, i, walk)
    out.push(copy(item, walk))
  }
  // Own keys are the indices in order and then whatever else was put on the array. Hidden ones are not looked
  // for: in V8 that takes four times as long.
  const extra = Object.keys(source)[source.length - holes] ?? Object.getOwnPropertySymbols(source)[0]
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

function copyRegExp(source: RegExp, walk: CopyWalk): object {
  const { source: text, flags, lastIndex } = source
  const extra = Reflect.ownKeys(source).find((key) => key !== 'lastIndex')
  if (extra !== undefined || typeof lastIndex !== 'number')
    refuse(walk, `has a property, ${String(extra ?? 'lastIndex')}, which cannot be stored`)
  if (walk.encode)
    return tag('regexp', Object.is(lastIndex, 0) ? [text, flags] : [text, flags, copy(lastIndex, walk)])
  return Object.assign(new RegExp(text, flags), { lastIndex })
}

function copyError(source: object, walk: CopyWalk): object {
  // What only inherits from an error has no stack, and no engine takes it for one.
  if (Object.prototype.toString.call(source) !== '[object Error]') refuse(walk, `is ${described(source)}`)
  const name = errorClassName(source)
  const parts = copyPlain(errorParts(source), walk, source)
  return walk.encode ? tag('error', [name, parts]) : makeError(name, parts as Record<string, unknown>)
}

function copyInstance(source: object, walk: CopyWalk): object {
  const kept = classOf(source)
  const at = enter(walk, source)
  walk.keys[at] = 'encode'
  const stored = copy(kept?.encode(source), walk)
  leave(walk)
  if (walk.encode) return tag('class', [kept?.name, stored])
  return madeBy(kept, stored as Value, walk)
}

/** What a registered class makes of what is stored. */
export function madeBy(kept: ReturnType<typeof classOf>, stored: Value, walk: Walk): object {
  const made = kept?.decode(stored)
  if (!made || classOf(made) !== kept) refuse(walk, `was not made by the \`decode\` of class ${kept?.name}`)
  return made
}

/** Properties put on a view are not looked for: each of its items is one, too. */
function copyBytes(source: object, kind: BytesKind, walk: CopyWalk): object {
  const { buffer = source, resizable } = source as { buffer?: object; resizable?: boolean }
  if (kindOf(buffer) !== 'arraybuffer') refuse(walk, 'shows shared memory: keep a copy of its bytes')
  if (resizable) refuse(walk, 'is a buffer that can grow: keep one of fixed length')
  if (kind === 'arraybuffer' || kind === 'dataview') refuseExtras(source, walk)
  // A copy of nothing would hide that the bytes were given away.
  if ((buffer as { detached?: boolean }).detached) refuse(walk, 'is detached: its bytes were given away')
  const bytes = bytesOf(source)
  return walk.encode ? tag(kind, toBase64(bytes)) : (viewOf(kind, bytes.slice()) as object)
}

function refuseExtras<T extends object>(value: T, walk: Walk): T {
  const [extra] = Reflect.ownKeys(value)
  if (extra !== undefined) refuse(walk, `has a property of its own, ${String(extra)}, which cannot be stored`)
  return value
}

function refuseAccessor(container: object, key: PropertyKey, walk: Walk): void {
  const property = Object.getOwnPropertyDescriptor(container, key)
  if (!property?.enumerable || property.get || property.set) {
    refuse(walk, 'is an accessor or hidden, and only plain properties can be stored')
  }
}

function described(value: object): string {
  const name: unknown = (Object.getPrototypeOf(value) as object | null)?.constructor.name
  return `a ${String(name || 'class instance')}: ${advice(value, String(name))}`
}

function advice(value: object, name: string): string {
  if (value instanceof Error) return 'register its class, or keep its name and message'
  if (name === 'SharedArrayBuffer') return 'keep a copy of its bytes'
  if (name === 'Promise') return 'await it first'
  return 'register its class (registerClass), or keep a plain object with what you need of it'
}
