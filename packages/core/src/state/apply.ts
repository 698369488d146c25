import { WaystoneError } from '../errors.ts'
import { fromBase64 } from './bytes.ts'
import { encodeAt, type Value } from './codec.ts'
import { decodeAt, type Tag } from './decode.ts'
import type { Json } from '../json.ts'
import { Members } from './members.ts'
import { runOf } from './moved.ts'
import { isPath, type Delta, type Op, type Path } from './ops.ts'
import { isBytesKind, isList, isObject, kindOf, put, type BytesKind } from './value.ts'
import { bytesOf, viewOf } from './views.ts'
import type { Walk } from './walk.ts'

/** Engines take at least 65,535 arguments in one call. */
const spreadItemsMax = 10_000

type Container = Record<PropertyKey, unknown>
type Splice = Extract<Op, readonly ['splice', ...unknown[]]>

/**
 * The value that `delta` makes of `base`. It shares with `base`, which stays as it is, whatever no change
 * touched; the rest is new. Throws `delta_refused` with the path, what was expected and what was found, when
 * a change does not fit, and `value_refused` when a stored value cannot be read; nothing is half applied.
 */
export function applyDelta(base: Value, delta: Delta): Value {
  return new Applying(base).apply(delta)
}

class Applying {
  readonly #base: Value
  readonly #root: Container
  /** Containers made here may be written to again: a thousand changes to one array copy it once. */
  readonly #own: Set<object>
  /** Of Maps and Sets of the base from which something moved. */
  readonly #items = new Map<object, readonly unknown[]>()
  #hasMembers = false

  constructor(base: Value) {
    this.#base = base
    this.#root = { root: base }
    this.#own = new Set([this.#root])
  }

  apply(delta: Delta): Value {
    for (const op of delta) this.#applyOp(op)
    if (this.#hasMembers) for (const container of this.#own) finishMembers(container)
    return this.#root['root'] as Value
  }

  #applyOp(op: Op): void {
    const [kind, path] = op
    let container = this.#root
    let key: string | number = 'root'
    for (let i = 0; i < path.length; i++) {
      container = this.#ownChild(container, key, path.slice(0, i))
      key = path[i] ?? ''
      const isIndex = isList(container)
      if (typeof key !== (isIndex ? 'number' : 'string'))
        throw refused(path, isIndex ? 'an index' : 'a name in an object', JSON.stringify(key))
    }
    const items: unknown = container
    const isItem = isList(items)
    const isThere = isItem ? (key as number) < items.length : Object.hasOwn(container, key)
    if (!isThere && (kind !== 'set' || isItem)) throw refused(path, 'something there', 'nothing')
    if (kind === 'set') put(container, key, this.#decode(op[2], path.length))
    else if (kind === 'splice') put(container, key, this.#spliced(container[key], op))
    else if (isItem || container === this.#root)
      throw refused(path, 'a property of an object', 'another place')
    else Reflect.deleteProperty(container, key)
  }

  /** The properties, items or members at `key`, made ours first when they belong to the base. */
  #ownChild(container: Container, key: string | number, path: Path): Container {
    const child = Object.hasOwn(container, key) ? container[key] : undefined
    const kind = isObject(child) ? kindOf(child) : undefined
    if (isObject(child) && this.#own.has(child)) return child as Container
    if (child instanceof Members) return child.items as unknown as Container
    if (kind === 'map' || kind === 'set') {
      const members = this.#membersOf(child as ReadonlySet<unknown>)
      put(container, key, members)
      return members.items as unknown as Container
    }
    if (kind !== 'object' && kind !== 'array')
      throw refused(path, 'something with parts', kind ?? String(child).slice(0, 50))
    const copy = isList(child) ? child.slice() : { ...(child as object) }
    this.#own.add(copy)
    put(container, key, copy)
    return copy as unknown as Container
  }

  #membersOf(members: Members | ReadonlySet<unknown>): Members {
    if (members instanceof Members) return members
    const made = new Members(members)
    this.#own.add(made.items)
    this.#hasMembers = true
    return made
  }

  #spliced(target: unknown, op: Splice): unknown {
    const [, path, index, count, put] = op
    const kind = isObject(target) ? kindOf(target) : undefined
    const isSet = kind === 'map' || kind === 'set' || target instanceof Members
    const list = isSet ? this.#membersOf(target as Members) : target
    const units = isBytesKind(kind) ? bytesOf(target as object) : list instanceof Members ? list.items : list
    const size = typeof units === 'string' || isList(units) || units instanceof Uint8Array ? units.length : -1
    if (index + count > size) {
      const found = size < 0 ? 'no list, text or bytes' : String(size)
      throw refused(path, `at least ${index + count} to splice`, found)
    }
    if (typeof units === 'string' && typeof put === 'string')
      return units.slice(0, index) + put + units.slice(index + count)
    if (units instanceof Uint8Array && typeof put === 'string')
      return splicedBytes(kind as BytesKind, units, op)
    if (!isList(units) || !isList(put)) throw refused(path, 'items for a list, text for the rest', typeof put)
    // An entry of a Map is no level of its own.
    const isMap = list instanceof Members && list.keys !== undefined
    const items = this.#itemsOf(put as readonly Json[], path.length - (isMap ? 1 : 0))
    if (isMap && !items.every((item) => isList(item) && item.length === 2))
      throw refused(path, 'entries of a Map', 'something else')
    if (!(list instanceof Members)) return this.#splicedList(list as readonly unknown[], index, count, items)
    list.splice(index, count, items)
    return list
  }

  #splicedList(target: readonly unknown[], index: number, count: number, items: readonly unknown[]): unknown {
    // Only a concatenation keeps holes, and takes more items than a call can have arguments.
    const isPlain = items.length <= spreadItemsMax && !items.includes(undefined)
    const isOwn = this.#own.delete(target)
    let out = target as unknown[]
    // Most lists grow at their end: one copy is enough.
    if (!isOwn && index === out.length) {
      out = out.concat(items)
      this.#own.add(out)
      return out
    }
    if (!isPlain) out = out.slice(0, index).concat(items, out.slice(index + count))
    else if (!isOwn) out = out.slice()
    if (isPlain) out.splice(index, count, ...items)
    this.#own.add(out)
    return out
  }

  /** The items that a splice puts, runs spread out. */
  #itemsOf(stored: readonly Json[], levels: number): readonly unknown[] {
    const runs = stored.map(runOf)
    if (runs.every((run) => run === undefined)) return this.#decode(stored, levels) as readonly Value[]
    const spread = stored.flatMap((item, i): readonly Json[] => {
      const run = runs[i]
      if (run === undefined) return [item]
      const { length = 0 } = this.#itemsAt(this.#placeIn(run.path as Path)) ?? {}
      if (!(run.count <= length)) throw refused(run.path as Path, 'items that moved', 'none')
      return Array.from({ length: run.count }, (_, n) => ({ $: 'was', v: [...run.path, run.from + n] }))
    })
    return this.#decode(spread, levels) as readonly Value[]
  }

  #decode(json: Json, levels: number): Value {
    return decodeAt(json, levels, (tag, walk) => this.#moved(tag, walk))
  }

  /** What a tag `was` stands for: the value at that path in the base. */
  #moved({ $: tag, v: path }: Tag, walk: Walk): Value {
    if (tag !== 'was' || !isPath(path)) return undefined
    const value = this.#placeIn(path) as Value
    if (value === undefined) throw refused(path, 'a value that moved', 'nothing')
    // Deeper than it was, it may be too deep.
    const levels = walk.parents.length + walk.levels
    if (levels > path.length) encodeAt(value, levels)
    return value
  }

  #placeIn(path: Path): unknown {
    let value: unknown = this.#base
    for (const key of path) {
      const items = typeof key === 'number' ? this.#itemsAt(value) : undefined
      const isNamed = typeof key === 'string' && isObject(value) && kindOf(value) === 'object'
      const parts = (items ?? (isNamed ? value : {})) as Container
      value = Object.hasOwn(parts, key) ? parts[key] : undefined
    }
    return value
  }

  /** What stands at the positions of a list, of a Map's values or a Set. */
  #itemsAt(value: unknown): readonly unknown[] | undefined {
    if (isList(value)) return value
    if (!(value instanceof Map || value instanceof Set)) return undefined
    const items = this.#items.get(value) ?? [...value.values()]
    this.#items.set(value, items)
    return items
  }
}

function finishMembers(container: object): void {
  for (const [key, value] of Object.entries(container))
    if (value instanceof Members) put(container, key, value.finish())
}

function splicedBytes(kind: BytesKind, target: Uint8Array, [, path, index, count, put]: Splice): unknown {
  const bytes = fromBase64(String(put))
  const out = new Uint8Array(target.length - count + bytes.length)
  out.set(target.subarray(0, index))
  out.set(bytes, index)
  out.set(target.subarray(index + count), index + bytes.length)
  try {
    return viewOf(kind, out)
  } catch {
    throw refused(path, `bytes that are whole items of ${kind}`, String(out.length))
  }
}

function refused(path: Path, expected: string, found: string): WaystoneError {
  const at = JSON.stringify(path)
  return new WaystoneError(
    'delta_refused',
    `a delta does not fit at ${at}: expected ${expected}, found ${found}`,
    {
      details: { path, expected, found },
    },
  )
}
