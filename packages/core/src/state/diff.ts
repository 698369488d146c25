import { knownAlike } from './alike.ts'
import { toBase64 } from './bytes.ts'
import type { Value } from './codec.ts'
import { sameItem, sameValue, type Unequal } from './equal.ts'
import { gapsOf, trim, type List, type SameAt } from './list-gaps.ts'
import { Moved } from './moved.ts'
import type { Delta, Op, Path } from './ops.ts'
import { bytesRanges, textRanges, type Range } from './unit-ranges.ts'
import { isBytesKind, isList, isObject, kindOf, spliceUnitsMin } from './value.ts'
import { bytesOf } from './views.ts'
import { weigh } from './weigh.ts'

/**
 * What makes `base` into `next`; empty exactly when `sameValue(base, next)`. The same reference on both sides
 * counts as unchanged and is never looked into, so the cost follows what changed; without shared references every part is
 * looked at a bounded number of times. Neither is held on to: what a change puts is in its stored form. Throws
 * `value_refused` when that nests too deep.
 */
export function diff(base: Value, next: Value): Delta {
  const unequal: Unequal = new WeakMap()
  const moved = new Moved(unequal)
  const changes: Change[] = []
  compare(base, next, { path: [], width: 2, changes, moved, unequal })
  return changes.map((change) => opOf(change, moved))
}

/** An `Op` whose put is not encoded yet: where that was before is known when all is compared. */
interface Change {
  readonly kind: Op[0]
  readonly path: Path
  readonly put?: unknown
  /** Of a splice. */
  readonly index?: number
  readonly count?: number
  /** Containers around what is put, where it is not the path's. */
  readonly levels?: number
  /** About the characters that it takes, once it was asked for. */
  weight?: number
}

interface Place {
  readonly path: Path
  /** About the characters of the path. */
  readonly width: number
  readonly changes: Change[]
  readonly moved: Moved
  readonly unequal: Unequal
}

type Plain = Readonly<Record<string, unknown>>

function opOf({ kind, path, put, index = 0, count = 0, levels = path.length }: Change, moved: Moved): Op {
  if (kind === 'del') return [kind, path]
  if (kind === 'set') return [kind, path, moved.encode(put, levels)]
  if (typeof put === 'string') return [kind, path, index, count, put]
  if (!isList(put)) return [kind, path, index, count, toBase64(put as Uint8Array)]
  return [kind, path, index, count, moved.encodeItems(put, levels)]
}

function compare(base: unknown, next: unknown, place: Place): void {
  if (Object.is(base, next)) return
  const isText = typeof base === 'string' && typeof next === 'string'
  const kind = isObject(base) && isObject(next) && kindOf(base) === kindOf(next) ? kindOf(base) : undefined
  if (isText || isBytesKind(kind)) return compareUnits(base as string, next as string, place)
  if (kind === 'object') return compareObjects(base as Plain, next as Plain, place)
  if (kind === 'array') return compareLists(base as List, next as List, place)
  if (kind === 'set') return compareLists([...(base as Set<unknown>)], [...(next as Set<unknown>)], place)
  if (kind === 'map') return compareMaps(base as Entries, next as Entries, place)
  if (!sameValue(base, next, place.unequal)) replace(base, next, place)
}

function replace(base: unknown, next: unknown, { path, changes, moved }: Place): void {
  moved.lose(base, path)
  changes.push({ kind: 'set', path, put: next })
}

function inside({ path, width, ...rest }: Place, key: string | number): Place {
  return { ...rest, path: [...path, key], width: width + String(key).length + 3 }
}

function compareObjects(base: Plain, next: Plain, place: Place): void {
  const { path, changes, moved } = place
  const first = changes.length
  const nextKeys = Object.keys(next)
  const misplaced = outOfPlace(base, nextKeys)
  for (const key of Object.keys(base)) {
    if (Object.hasOwn(next, key) && !misplaced.has(key)) continue
    moved.lose(base[key], [...path, key])
    changes.push({ kind: 'del', path: [...path, key] })
  }
  for (const key of nextKeys) {
    if (!Object.hasOwn(base, key) || misplaced.has(key))
      changes.push({ kind: 'set', path: [...path, key], put: next[key] })
    else if (!Object.is(base[key], next[key])) compare(base[key], next[key], inside(place, key))
  }
  if (shorten(first, { kind: 'set', path, put: next }, place))
    for (const key of Object.keys(base)) moved.lose(base[key], [...path, key])
}

/**
 * The shared names that have to be removed and added again: what follows the first name that is new or comes earlier than
 * in the base. JavaScript itself puts indices first and in order.
 */
function outOfPlace(base: Plain, nextKeys: readonly string[]): ReadonlySet<string> {
  const baseKeys = Object.keys(base)
  // Most objects keep their names, and get new ones behind them.
  if (baseKeys.every((key, i) => key === nextKeys[i])) return none
  const isNamed = (key: string): boolean => !/^(0|[1-9]\d{0,8})$/.test(key)
  const positions = new Map(baseKeys.map((key, i) => [key, i]))
  const named = nextKeys.filter(isNamed)
  let last = -1
  const from = named.findIndex((key) => {
    const position = positions.get(key) ?? -1
    const isMoved = position <= last
    last = position
    return isMoved
  })
  return new Set(from < 0 ? [] : named.slice(from).filter((key) => positions.has(key)))
}

const none: ReadonlySet<string> = new Set()

/**
 * Takes `instead` when it is shorter than the changes since `first`; says whether it was taken. `weighPut` is asked how much
 * it puts, up to what they take.
 */
function shorten(
  first: number,
  instead: Change,
  { changes, width }: Place,
  weighPut: (most: number) => number = (most) => weigh(instead.put, most),
): boolean {
  if (changes.length - first < 2) return false
  let sum = 0
  for (let i = first; i < changes.length; i++) {
    const change = changes[i] as Change
    sum += change.weight ??= opWeight[change.kind] + width + weigh(change.put ?? '', Infinity)
  }
  // Less is not worth losing sight of what stayed and what moved.
  if (opWeight[instead.kind] + width + weighPut(sum) > sum * 0.9) return false
  changes.splice(first, changes.length - first, instead)
  return true
}

function compareUnits(base: string | object, next: string | object, place: Place): void {
  const [from, to] = [unitsOf(base), unitsOf(next)]
  const ranges =
    typeof from === 'string' ? textRanges(from, to as string) : bytesRanges(from, to as Uint8Array)
  if (ranges.length === 0) return
  // 24: the numbers and the longer word of a splice.
  const units = ranges.reduce(
    (sum, range) => sum + range.nextEnd - range.next + place.width + 24,
    -place.width,
  )
  if (to.length < spliceUnitsMin || units > to.length) return replace(base, next, place)
  for (const range of ranges.toReversed()) place.changes.push(splice(to, range, place))
}

function unitsOf(value: string | object): string | Uint8Array {
  return typeof value === 'string' ? value : bytesOf(value)
}

function compareLists(base: List, next: List, place: Place): void {
  const { path, changes, moved, unequal } = place
  const same: SameAt = (b, n) => sameItem(base, b, next, n, unequal)
  const known = knownAlike(next, base)
  const middle = trim({ base: known, baseEnd: base.length, next: known, nextEnd: next.length }, same)
  const found = gapsOf(base, next, middle, same)
  const first = changes.length
  for (const gap of found.gaps) compareGap(gap)
  if (shorten(first, splice(next, middle, place), place, (most) => weighItems(middle, most)))
    for (let b = middle.base; b < middle.baseEnd; b++) moved.lose(base[b], [...path, b])

  function compareGap(gap: Range): void {
    const from = changes.length
    const shared = Math.min(gap.baseEnd - gap.base, gap.nextEnd - gap.next)
    for (let b = gap.base, n = gap.next; b < gap.baseEnd; b++, n++) {
      const isShared = b < gap.base + shared
      if (isShared && same(b, n)) continue
      moved.lose(base[b], [...path, b], !isShared)
      if (isShared) compareItem(b, n)
    }
    const rest = { ...gap, base: gap.base + shared, next: gap.next + shared }
    if (rest.base < rest.baseEnd || rest.next < rest.nextEnd) {
      const change = splice(next, rest, place)
      if (found.moved.size > 0) change.weight = opWeight.splice + place.width + weighItems(rest, Infinity)
      changes.push(change)
    }
    if (shorten(from, splice(next, gap, place), place, (most) => weighItems(gap, most)))
      for (let b = gap.base; b < gap.baseEnd; b++) moved.lose(base[b], [...path, b])
  }

  function compareItem(b: number, n: number): void {
    // A hole has no value that could be set.
    const isHole = !(b in base && n in next)
    if (isHole) changes.push(splice(next, { base: b, baseEnd: b + 1, next: n, nextEnd: n + 1 }, place))
    else if (!found.moved.has(n)) compare(base[b], next[n], inside(place, b))
    else changes.push({ kind: 'set', path: [...path, b], put: next[n], weight: movedWeight + place.width })
  }

  /** What moved is named by where it was. */
  function weighItems(range: Range, most: number): number {
    let sum = 0
    for (let n = range.next; n < range.nextEnd && sum <= most; n++)
      sum += 1 + (found.moved.has(n) ? movedWeight : weigh(next[n], most - sum))
    return sum
  }
}

/** About the characters of a place that stands for what moved. */
const movedWeight = 40
/** About the characters of a change beside the path and what it puts. */
const opWeight = { del: 14, set: 16, splice: 26 } as const

function splice(put: List | string | Uint8Array, range: Range, { path }: Place): Change {
  const { base, baseEnd, next, nextEnd } = range
  return { kind: 'splice', path, index: base, count: baseEnd - base, put: put.slice(next, nextEnd) }
}

type Entries = ReadonlyMap<unknown, unknown>

/** A Map is a list of entries: one whose key is there on both sides changes by its value, others are spliced. */
function compareMaps(base: Entries, next: Entries, place: Place): void {
  const { path, changes, moved, unequal } = place
  const [baseKeys, nextKeys] = [[...base.keys()], [...next.keys()]]
  const [baseValues, nextValues] = [[...base.values()], [...next.values()]]
  const ends = { baseEnd: baseKeys.length, nextEnd: nextKeys.length }
  const same: SameAt = (b, n) => sameValue(baseKeys[b], nextKeys[n], unequal)
  const { gaps } = gapsOf(baseKeys, nextKeys, trim({ base: 0, next: 0, ...ends }, same), same)
  const first = changes.length
  let [b, n] = [0, 0]
  for (const gap of [...gaps.toReversed(), { base: ends.baseEnd, next: ends.nextEnd, ...ends }]) {
    for (; b < gap.base; b++, n++)
      if (!Object.is(baseValues[b], nextValues[n])) compare(baseValues[b], nextValues[n], inside(place, b))
    for (; b < gap.baseEnd; b++) moved.lose(baseValues[b], [...path, b])
    n = gap.nextEnd
  }
  const entries = [...next]
  // An entry is no level of its own.
  for (const gap of gaps) changes.push({ ...splice(entries, gap, place), levels: path.length - 1 })
  if (shorten(first, { kind: 'set', path, put: next }, place))
    for (const [i, value] of baseValues.entries()) moved.lose(value, [...path, i])
}
