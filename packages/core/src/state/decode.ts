import { fromBase64 } from './bytes.ts'
import { classNamed, OpaqueValue } from './classes.ts'
import { madeBy } from './copy.ts'
import { ownMember } from './own-member.ts'
import { makeError } from './error-parts.ts'
import type { Json } from '../json.ts'
import { isBytesKind, isList, isObject, kindOf, put, type Value } from './value.ts'
import { viewOf } from './views.ts'
import { enter, guarded, leave, refuse, startWalk, type Walk } from './walk.ts'

/** The stored form of what JSON lacks. */
export interface Tag {
  readonly $: unknown
  readonly v?: unknown
}

/** A walk through a stored form; `named` says what tags stand for that no value has, undefined to refuse them. */
interface DecodeWalk extends Walk {
  readonly named: ((tag: Tag, walk: Walk) => Value) | undefined
}

/**
 * The value of a stored form that will stand inside `levels` containers, which count for the limit of nesting. Throws
 * `value_refused`; see `decodeValue`.
 */
export function decodeAt(json: Json, levels: number, named?: DecodeWalk['named']): Value {
  const walk: DecodeWalk = { ...startWalk('value', levels), named }
  return guarded(walk, () => decode(json, walk))
}

function decode(json: unknown, walk: DecodeWalk): Value {
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean' || json === null)
    return json
  if (typeof json !== 'object') return refuse(walk, 'is not JSON')
  if (isList(json)) {
    const out: Value[] = []
    decodeItems(json, json, walk, (item, i) => {
      if (isHole(json[i])) out.length++
      else out.push(item())
    })
    return out
  }
  if (Object.hasOwn(json, '$')) return decodeTag(json as Tag, walk)
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

function isHole(item: unknown): boolean {
  return isObject(item) && (item as Tag).$ === 'hole' && Object.keys(item).length === 1
}

function decodeItems(
  items: readonly unknown[],
  parent: object,
  walk: DecodeWalk,
  add: (item: () => Value, index: number) => void,
): void {
  const at = enter(walk, parent)
  for (let i = 0; i < items.length; i++) {
    walk.keys[at] = i
    add(() => decode(items[i], walk), i)
  }
  leave(walk)
}

function decodeTag(json: Tag, walk: DecodeWalk): Value {
  const { $: kind, v } = json
  const decoded = typeof v === 'string' ? decodeText(kind, v) : decodeList(kind, v, walk)
  const value = decoded ?? walk.named?.(json, walk)
  const size = Object.keys(json).length
  if (kind === 'undefined' ? size === 1 : value !== undefined && size === 2) return value
  return refuse(walk, `has a tag that this version cannot read: ${JSON.stringify(json).slice(0, 100)}`)
}

// Undefined, or a throw, when what is stored is not what is written for such a value, to the letter.

function decodeText(kind: unknown, v: string): Value {
  switch (kind) {
    case 'number':
      return ['NaN', 'Infinity', '-Infinity', '-0'].includes(v) ? Number(v) : undefined
    case 'bigint':
      return String(BigInt(v)) === v ? BigInt(v) : undefined
    case 'date':
      return new Date(v).toISOString() === v ? new Date(v) : undefined
    case 'url':
      return decodeUrl(v)
    default: {
      if (!isBytesKind(kind)) return undefined
      return (viewOf(kind, fromBase64(v)) as Uint8Array | undefined) ?? new OpaqueValue(kind, v)
    }
  }
}

function decodeUrl(href: string): Value {
  const { URL } = globalThis as { URL?: new (href: string) => { href: string; searchParams: object } }
  const url = URL && new URL(href)
  if (!url) return new OpaqueValue('url', href)
  return url.href === href ? url : undefined
}

function decodeList(kind: unknown, v: unknown, walk: DecodeWalk): Value {
  if (kind === 'date' && v === null) return new Date(NaN)
  if (!isList(v)) return undefined
  if (kind === 'map') return decodeMap(v, walk)
  if (kind === 'set') {
    const out = new Set<Value>()
    decodeItems(v, out, walk, (item) => out.add(ownMember(out, item())))
    return out.size === v.length ? out : undefined
  }
  if (kind === 'regexp') return decodeRegExp(v, walk)
  if (v.length !== 2) return undefined
  const [name, stored] = v
  if (kind === 'error') {
    const parts = decode(stored, walk)
    const isKept = isObject(parts) && kindOf(parts) === 'object' && !Object.hasOwn(parts, 'stack')
    return isKept ? (makeError(name, parts as Record<string, unknown>) as Error) : undefined
  }
  return kind === 'class' && typeof name === 'string' ? decodeInstance(name, v, walk) : undefined
}

function decodeMap(v: readonly unknown[], walk: DecodeWalk): Value {
  const out = new Map<Value, Value>()
  if (!v.every((pair) => isList(pair) && pair.length === 2)) return undefined
  let key: Value
  decodeItems((v as [unknown, unknown][]).flat(), out, walk, (item, i) => {
    if (i % 2 === 0) key = ownMember(out, item())
    else out.set(key, item())
  })
  return out.size === v.length ? out : undefined
}

/** One that this engine cannot read, since it is of a later edition of the language, is opaque. */
function decodeRegExp(v: readonly unknown[], walk: DecodeWalk): Value {
  const [source, flags, stored = 0] = v
  const lastIndex = decode(stored, walk)
  const isWritten = typeof lastIndex === 'number' && v.length === (Object.is(lastIndex, 0) ? 2 : 3)
  if (typeof source !== 'string' || typeof flags !== 'string' || !isWritten) return undefined
  let made: RegExp
  try {
    made = new RegExp(source, flags)
  } catch {
    return new OpaqueValue('regexp', v.length === 2 ? [source, flags] : [source, flags, lastIndex])
  }
  return made.flags === flags ? Object.assign(made, { lastIndex }) : undefined
}

function decodeInstance(name: string, v: readonly unknown[], walk: DecodeWalk): Value {
  const at = enter(walk, v)
  walk.keys[at] = 1
  const stored = decode(v[1], walk)
  leave(walk)
  const kept = classNamed(name)
  return kept ? (madeBy(kept, stored, walk) as Value) : new OpaqueValue('class', [name, stored])
}
