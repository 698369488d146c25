import { WaystoneError } from '../errors.ts'
import type { Json } from '../json.ts'
import { isList } from './value.ts'

/**
 * From the root to a place: names in plain objects, indices in arrays. Nothing inside a Map or Set has a
 * path.
 */
export type Path = readonly (string | number)[]

/**
 * One change: put a value (stored form) at a path, the root's being empty; remove a property; or replace
 * `count` items of an array, UTF-16 units of a string or bytes from `index` on by items (stored form), a
 * string or base64.
 */
export type Op =
  | readonly ['set', path: Path, value: Json]
  | readonly ['del', path: Path]
  | readonly ['splice', path: Path, index: number, count: number, put: readonly Json[] | string]

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
    (isList(items) || typeof items === 'string')
  )
}

function isPath(path: unknown): path is Path {
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
