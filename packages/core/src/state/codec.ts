import { fromBase64 } from './bytes.ts'
import { copy, type CopyWalk } from './copy.ts'
import type { Json } from '../json.ts'
import { isList, put, type Value } from './value.ts'
import { enter, guarded, leave, refuse, startWalk, type Walk } from './walk.ts'

export type { Value } from './value.ts'

/**
 * The stored form of a value: plain JSON, where what JSON lacks (Date, Map, Set, bigint, undefined, NaN,
 * infinities, -0, Uint8Array) is tagged: `{"$":"date","v":"2026-11-20T00:00:00.000Z"}`. A real key of `$`
 * signs only gets one more. Property order is kept; an object without a prototype comes back as a plain one;
 * an object met twice becomes two. Anything else throws `value_refused` with its path, which begins with
 * `where` (default `value`). The result is new and shares nothing with `value`.
 */
export function encodeValue(value: unknown, options: { readonly where?: string } = {}): Json {
  return encodeAt(value, 0, options.where)
}

/** `encodeValue` of what will stand inside `levels` containers, which count for the limit of nesting. */
export function encodeAt(value: unknown, levels: number, where = 'value'): Json {
  const walk: CopyWalk = { ...startWalk(where, levels), encode: true, adopt: undefined }
  return guarded(walk, () => copy(value, walk)) as Json
}

/**
 * A deep copy, equal to `decodeValue(encodeValue(value))`. Throws `value_refused` where `encodeValue` would.
 */
export function cloneValue<T>(value: T, options: { readonly where?: string } = {}): T {
  const walk: CopyWalk = { ...startWalk(options.where ?? 'value'), encode: false, adopt: undefined }
  return guarded(walk, () => copy(value, walk)) as T
}

/**
 * The value that `encodeValue` stored, newly made. Throws `value_refused` for a tag that this version does
 * not know or that is not in the form in which it is written; the path is one through the stored form.
 */
export function decodeValue(json: Json): Value {
  return decodeAt(json, 0)
}

/** `decodeValue` of what will stand inside `levels` containers, which count for the limit of nesting. */
export function decodeAt(json: Json, levels: number): Value {
  const walk = startWalk('value', levels)
  return guarded(walk, () => decode(json, walk))
}

function decode(json: unknown, walk: Walk): Value {
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean' || json === null)
    return json
  if (typeof json !== 'object') return refuse(walk, 'is not JSON')
  if (isList(json)) {
    const out: Value[] = []
    decodeItems(json, json, walk, (item) => out.push(item))
    return out
  }
  if (Object.hasOwn(json, '$')) return decodeTag(json as { $: unknown; v?: unknown }, walk)
  const at = enter(walk, json)
  const out = {}
  for (const key of Object.keys(json)) {
    walk.keys[at] = key
    const name = key.startsWith('$') && /^\$+$/.test(key) ? key.slice(1) : key
    put(out, name, decode((json as Record<string, unknown>)[key], walk))
  }
  leave(walk)
  return out
}

function decodeItems(
  items: readonly unknown[],
  parent: object,
  walk: Walk,
  add: (item: Value) => void,
): void {
  const at = enter(walk, parent)
  for (let i = 0; i < items.length; i++) {
    walk.keys[at] = i
    add(decode(items[i], walk))
  }
  leave(walk)
}

function decodeTag(json: { $: unknown; v?: unknown }, walk: Walk): Value {
  const { $: kind, v } = json
  const decoded = kind === 'map' || kind === 'set' ? decodeMembers(kind, v, walk) : decodeLeaf(kind, v)
  const size = Object.keys(json).length
  if (kind === 'undefined' ? size === 1 : decoded !== undefined && size === 2) return decoded
  return refuse(walk, `has a tag that this version cannot read: ${JSON.stringify(json).slice(0, 100)}`)
}

/** Undefined when what is stored is not what is written for such a value, to the letter. */
function decodeLeaf(kind: unknown, v: unknown): Value {
  if (kind === 'date' && v === null) return new Date(NaN)
  if (typeof v !== 'string') return undefined
  switch (kind) {
    case 'number':
      return ['NaN', 'Infinity', '-Infinity', '-0'].includes(v) ? Number(v) : undefined
    case 'bigint':
      return String(BigInt(v)) === v ? BigInt(v) : undefined
    case 'date':
      return new Date(v).toISOString() === v ? new Date(v) : undefined
    case 'bytes':
      return fromBase64(v)
    default:
      return undefined
  }
}

function decodeMembers(kind: 'map' | 'set', v: unknown, walk: Walk): Value {
  if (!isList(v)) return undefined
  if (kind === 'set') {
    const out = new Set<Value>()
    decodeItems(v, out, walk, (item) => out.add(item))
    return out.size === v.length ? out : undefined
  }
  const out = new Map<Value, Value>()
  if (!v.every((pair) => isList(pair) && pair.length === 2)) return undefined
  let key: Value
  let half = 0
  decodeItems((v as [unknown, unknown][]).flat(), out, walk, (item) => {
    if (half++ % 2 === 0) key = item
    else out.set(key, item)
  })
  return out.size === v.length ? out : undefined
}
