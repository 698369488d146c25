import { WaystoneError } from '../errors.ts'
import { fromBase64 } from './bytes.ts'
import { decodeAt, type Value } from './codec.ts'
import type { Json } from '../json.ts'
import type { Delta, Op, Path } from './ops.ts'
import { isList, isObject, kindOf, put } from './value.ts'

/** Engines take at least 65,535 arguments in one call. */
const spreadItemsMax = 10_000

type Container = Record<PropertyKey, unknown>

/**
 * The value that `delta` makes of `base`. It shares with `base`, which stays as it is, whatever no change
 * touched; the rest is new. Throws `delta_refused` with the path, what was expected and what was found, when
 * a change does not fit, and `value_refused` when a stored value cannot be read; nothing is half applied.
 */
export function applyDelta(base: Value, delta: Delta): Value {
  const root: Container = { root: base }
  // Containers made here may be written to again: a thousand changes to one array copy it once.
  const own = new Set<object>([root])
  for (const op of delta) applyOp(root, own, op)
  return root['root'] as Value
}

function applyOp(root: Container, own: Set<object>, op: Op): void {
  const [kind, path] = op
  let container = root
  let key: string | number = 'root'
  for (let i = 0; i < path.length; i++) {
    container = ownChild(container, key, own, path.slice(0, i))
    key = path[i] ?? ''
    if (typeof key !== (isList(container) ? 'number' : 'string')) {
      throw refused(
        path,
        isList(container) ? 'an index of an array' : 'a name in an object',
        JSON.stringify(key),
      )
    }
  }
  const exists = Object.hasOwn(container, key)
  if (!exists && (kind !== 'set' || isList(container))) throw refused(path, 'something there', 'nothing')
  if (kind === 'set') put(container, key, decodeAt(op[2], path.length))
  else if (kind === 'splice') put(container, key, spliced(container[key], op))
  else if (isList(container) || container === root)
    throw refused(path, 'a property of an object', 'another place')
  else Reflect.deleteProperty(container, key)
}

/** The object or array at `key`, made ours first when it belongs to the base. */
function ownChild(container: Container, key: string | number, own: Set<object>, path: Path): Container {
  const child = Object.hasOwn(container, key) ? container[key] : undefined
  const kind = isObject(child) ? kindOf(child) : undefined
  if (!isObject(child) || (kind !== 'object' && kind !== 'array')) {
    throw refused(path, 'an object or an array', kind ?? String(child).slice(0, 50))
  }
  if (own.has(child)) return child as Container
  const copy = isList(child) ? child.slice() : { ...child }
  own.add(copy)
  put(container, key, copy)
  return copy as unknown as Container
}

function spliced(
  target: unknown,
  [, path, index, count, items]: Extract<Op, readonly ['splice', ...unknown[]]>,
): unknown {
  const size =
    typeof target === 'string' || isList(target) || target instanceof Uint8Array ? target.length : -1
  if (index + count > size)
    throw refused(
      path,
      `at least ${index + count} to splice`,
      size < 0 ? 'neither list, text nor bytes' : String(size),
    )
  if (isList(target) && isList(items)) {
    const decoded = items.map((item) => decodeAt(item as Json, path.length + 1))
    // One copy of the list; more arguments than a call can take go the longer way.
    if (decoded.length > spreadItemsMax)
      return target.slice(0, index).concat(decoded, target.slice(index + count))
    const out = target.slice()
    if (count === 0 && index === out.length) out.push(...decoded)
    else out.splice(index, count, ...decoded)
    return out
  }
  if (typeof items !== 'string' || isList(target))
    throw refused(path, 'items for an array, text for the rest', typeof items)
  if (typeof target === 'string') return target.slice(0, index) + items + target.slice(index + count)
  return splicedBytes(target as Uint8Array, index, count, fromBase64(items))
}

function splicedBytes(target: Uint8Array, index: number, count: number, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(target.length - count + bytes.length)
  out.set(target.subarray(0, index))
  out.set(bytes, index)
  out.set(target.subarray(index + count), index + bytes.length)
  return out
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
