import { encodeAt } from './codec.ts'
import { sameValue, type Unequal } from './equal.ts'
import { fingerprint } from './fingerprint.ts'
import type { Json } from '../json.ts'
import type { Path } from './ops.ts'
import { isList, isObject, kindOf, spliceUnitsMin } from './value.ts'
import type { Walk } from './walk.ts'
import { weigh } from './weigh.ts'

/** A value of the base and its place. */
interface Placed {
  readonly value: unknown
  readonly path: Path
  /** Its parts may be somewhere else, too. */
  readonly inside: boolean
}

/** Values that are looked at for what moved; the rest is repeated when it did. */
const placesMax = 20_000
/** How deep what was lost is looked into: an item that moved is often another object around the same parts. */
const levelsMax = 3
/** Values with one fingerprint that are compared before giving up. */
const triesMax = 4

/**
 * What stood in the base and stands there no more, so that a change which puts it elsewhere can name the place it had
 * instead of repeating it: `{"$":"was","v":path}`, the path being one in the base.
 */
export class Moved {
  readonly #lost: Placed[] = []
  readonly #unequal: Unequal
  #places: ReadonlyMap<unknown, readonly Placed[]> | undefined

  constructor(unequal: Unequal) {
    this.#unequal = unequal
  }

  /** What stood at `path` in the base may be somewhere else now, and with `inside` each of its parts. */
  lose(value: unknown, path: Path, inside = true): void {
    if (isObject(value) || typeof value === 'string') this.#lost.push({ value, path, inside })
  }

  /** The stored form of what a change puts inside `levels` containers. */
  encode(value: unknown, levels: number): Json {
    return encodeAt(value, levels, undefined, (part, walk) => this.#refTo(part, walk))
  }

  /** The stored form of what a splice puts into a list. */
  encodeItems(items: readonly unknown[], levels: number): readonly Json[] {
    const encoded = encodeAt(items, levels, undefined, (part, walk) =>
      part === items ? undefined : this.#refTo(part, walk),
    )
    return joinRuns(encoded as readonly Json[])
  }

  #refTo(value: object | string, { parents, levels }: Walk): unknown {
    // A place takes about 40 characters; most of what is put is smaller.
    if (this.#lost.length === 0 || weigh(value, spliceUnitsMin) < spliceUnitsMin) return undefined
    const path = this.#placeOf(value)
    if (path === undefined) return undefined
    // What is nested deeper than it was is checked as if it was new.
    if (parents.length + levels > path.length) encodeAt(value, parents.length + levels)
    return { $: 'was', v: path }
  }

  #placeOf(value: object | string): Path | undefined {
    this.#places ??= placesOf(this.#lost)
    const known = this.#places.get(value)?.[0]
    if (known || !isObject(value)) return known?.path
    const alike = this.#places.get(fingerprint(value)) ?? []
    return alike.slice(0, triesMax).find((place) => sameValue(place.value, value, this.#unequal))?.path
  }
}

/** Values and some of their parts, by the objects and texts themselves, and objects also by their fingerprints. */
function placesOf(lost: readonly Placed[]): ReadonlyMap<unknown, readonly Placed[]> {
  const places = new Map<unknown, Placed[]>()
  const add = (by: unknown, place: Placed): void => {
    const known = places.get(by)
    if (known) known.push(place)
    else places.set(by, [place])
  }
  let level = lost.slice(0, placesMax)
  for (let depth = 0, left = placesMax; depth < levelsMax && left > 0; depth++) {
    left -= level.length
    const below: Placed[] = []
    for (const place of level) {
      const { value, path, inside } = place
      add(value, place)
      if (!isObject(value)) continue
      add(fingerprint(value), place)
      const kind = inside && below.length < left ? kindOf(value) : undefined
      if (kind !== 'array' && kind !== 'object') continue
      for (const [key, part] of isList(value) ? value.entries() : Object.entries(value))
        if (isObject(part) || typeof part === 'string')
          below.push({ value: part, path: [...path, key], inside })
    }
    level = below.slice(0, left)
  }
  return places
}

/** A run of items that move together is said once: `{"$":"run","v":[...path, from, count]}`, an item of a splice alone. */
function joinRuns(items: readonly Json[]): readonly Json[] {
  const out: Json[] = []
  let last: { readonly path: Path; readonly from: number; count: number } | undefined
  for (const item of items) {
    const path = wasAt(item)
    const from = path?.at(-1)
    const list = JSON.stringify(path?.slice(0, -1))
    if (path === undefined || typeof from !== 'number') last = undefined
    else if (last && from === last.from + last.count && JSON.stringify(last.path) === list) {
      last.count++
      out[out.length - 1] = { $: 'run', v: [...last.path, last.from, last.count] }
      continue
    } else last = { path: path.slice(0, -1), from, count: 1 }
    out.push(item)
  }
  return out
}

/** The path, the first position and the number of items of a run; undefined for anything else. */
export function runOf(
  item: Json,
): { readonly path: readonly Json[]; readonly from: number; readonly count: number } | undefined {
  const { $: tag, v } = (isObject(item) ? item : {}) as { readonly $?: Json; readonly v?: Json }
  const [from, count] = tag === 'run' && isList(v) ? v.slice(-2) : []
  return typeof from === 'number' && typeof count === 'number'
    ? { path: (v as readonly Json[]).slice(0, -2), from, count }
    : undefined
}

function wasAt(item: Json): Path | undefined {
  const { $: tag, v } = (isObject(item) ? item : {}) as { readonly $?: Json; readonly v?: Json }
  return tag === 'was' ? (v as Path) : undefined
}
