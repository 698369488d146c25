import { copy, type CopyWalk } from './copy.ts'
import { decodeAt } from './decode.ts'
import type { Json } from '../json.ts'
import type { Value } from './value.ts'
import { guarded, startWalk } from './walk.ts'

export type { Value } from './value.ts'

/**
 * The stored form of a value: plain JSON, where what JSON lacks is tagged: `{"$":"date","v":"2026-11-20T00:00:00.000Z"}`.
 * That is bigint, undefined, NaN, infinities, -0, holes of arrays, Date, Map, Set, RegExp, URL, ArrayBuffer, DataView and
 * typed arrays (as base64; what they show, not the buffer around it), errors (see `errorParts`) and instances of
 * registered classes. A real key of `$` signs only gets one more. Property order is kept; an object without a prototype
 * comes back as a plain one; an object met twice becomes two. Anything else throws `value_refused` with its path, which
 * begins with `where` (default `value`). The result is new and shares nothing with `value`.
 */
export function encodeValue(value: unknown, options: { readonly where?: string } = {}): Json {
  return encodeAt(value, 0, options.where)
}

/**
 * `encodeValue` of what will stand inside `levels` containers, which count for the limit of nesting. What `adopt` gives
 * for an object or a long text is taken as its stored form.
 */
export function encodeAt(value: unknown, levels: number, where?: string, adopt?: CopyWalk['adopt']): Json {
  const walk: CopyWalk = { ...startWalk(where ?? 'value', levels), encode: true, adopt }
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
 * The value that `encodeValue` stored, newly made. What cannot be made here, such as an instance of a class that this host
 * has not registered, is an `OpaqueValue`. Throws `value_refused` for a tag that this version does not know or that is not
 * in the form in which it is written; the path is one through the stored form.
 */
export function decodeValue(json: Json): Value {
  return decodeAt(json, 0)
}
