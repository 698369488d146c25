import { WaystoneError } from '../errors.ts'
import type { Json } from '../json.ts'
import { isList, isObject } from './value.ts'

/**
 * From the root to a place: names in plain objects, indices in lists. A Map is a list of its values, a Set one of its items.
 */
export type Path = readonly (string | number)[]

/**
 * One change: put a value (stored form) at a path, the root's being empty; remove a property; or replace `count` items of
 * an array or a Set, entries of a Map, UTF-16 units of a string or bytes from `index` on by items (stored form; an entry
 * is a list of key and value), a string or base64. Paths are those of the value as the changes before have left it.
 *
 * What is put may name a place of the base instead of repeating what moved: `{"$":"was","v":path}`, and as an item of a
 * splice `{"$":"run","v":[...path, from, count]}`. In an entry of a log it may also name what a step gave (`Named`).
 */
export type Op =
  | readonly ['set', path: Path, value: Json]
  | readonly ['del', path: Path]
  | readonly ['splice', path: Path, index: number, count: number, put: readonly Json[] | string | Named]

/** What stands elsewhere in a log: to be resolved before a delta is applied. */
export type Named = { readonly $: string; readonly v: Json }

/** What makes one value into another: changes in the order in which they apply. Plain JSON. */
export type Delta = readonly Op[]

/**
 * Reads a delta from disk or wire. Takes it over without a copy. Throws `delta_refused` when it has not the
 * form of one; whether it fits its base, and whether its values are known, shows when it is applied.
 */
export function parseDelta(json: unknown): Delta {
  if (!isList(json)) throw refused('a delta', 'a list of changes', json)
  json.forEach((op, i) => {
    if (!isOp(op)) throw refused(`change ${i} of a delta`, '["set" | "del" | "splice", path, ...]', op)
  })
  return json as Delta
}

function isOp(op: unknown): boolean {
  if (!isList(op) || !isPath(op[1])) return false
  const [kind, path, third, count, items] = op
  if (kind === 'set') return op.length === 3 && third !== undefined
  if (kind === 'del') return op.length === 2 && path.length > 0
  return (
    kind === 'splice' &&
    op.length === 5 &&
    isIndex(third) &&
    isIndex(count) &&
    (isList(items) || typeof items === 'string' || isNamed(items))
  )
}

function isNamed(put: unknown): put is Named {
  return isObject(put) && '$' in put
}

/** True for what is a path. */
export function isPath(path: unknown): path is Path {
  return isList(path) && path.every((key) => typeof key === 'string' || isIndex(key))
}

function isIndex(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function refused(what: string, expected: string, found: unknown): WaystoneError {
  const shown = (JSON.stringify(found) ?? String(found)).slice(0, 100)
  return new WaystoneError('delta_refused', `${what} must be ${expected}, found ${shown}`, {
    details: { expected, found: shown },
  })
}
