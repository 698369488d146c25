import { knownAlike } from './alike.ts'
import { toBase64 } from './bytes.ts'
import { encodeAt, type Value } from './codec.ts'
import { sameValue } from './equal.ts'
import type { Delta, Op, Path } from './ops.ts'
import { longestRise } from './rise.ts'
import { isObject, kindOf, spliceUnitsMin } from './value.ts'

/**
 * What makes `base` into `next`; empty exactly when `sameValue(base, next)`. The same reference on both sides
 * counts as unchanged and is never looked into, so the cost follows what changed. Neither is held on to: what
 * a change puts is in its stored form. Throws `value_refused` when that nests too deep.
 */
export function diff(base: Value, next: Value): Delta {
  const ops: Op[] = []
  compare(base, next, { path: [], ops })
  return ops
}

interface Place {
  readonly path: Path
  readonly ops: Op[]
}

type Plain = Readonly<Record<string, unknown>>
type List = readonly unknown[]

function compare(base: unknown, next: unknown, place: Place): void {
  if (Object.is(base, next)) return
  if (typeof base === 'string' && typeof next === 'string') return compareUnits(base, next, place)
  const kind = isObject(base) && isObject(next) && kindOf(base) === kindOf(next) ? kindOf(base) : undefined
  if (kind === 'object') return compareObjects(base as Plain, next as Plain, place)
  if (kind === 'array') return compareLists(base as List, next as List, place)
  if (kind === 'bytes') return compareUnits(base as Uint8Array, next as Uint8Array, place)
  if (!sameValue(base, next)) set(next, place)
}

function set(next: unknown, { path, ops }: Place): void {
  ops.push(['set', path, encodeAt(next, path.length)])
}

function inside({ path, ops }: Place, key: string | number): Place {
  return { path: [...path, key], ops }
}

function compareObjects(base: Plain, next: Plain, place: Place): void {
  const baseKeys = Object.keys(base)
  const nextKeys = Object.keys(next)
  const shared = baseKeys.filter((key) => Object.hasOwn(next, key))
  const misplaced = outOfPlace(shared, nextKeys)
  // When nothing stays where it is, one value is shorter than all of its properties.
  if (baseKeys.length > 0 && shared.length === misplaced.size) return set(next, place)
  for (const key of baseKeys) {
    if (!Object.hasOwn(next, key) || misplaced.has(key)) place.ops.push(['del', [...place.path, key]])
  }
  for (const key of nextKeys) {
    if (!Object.hasOwn(base, key) || misplaced.has(key)) set(next[key], inside(place, key))
    else if (!Object.is(base[key], next[key])) compare(base[key], next[key], inside(place, key))
  }
}

/** The names from the first one on whose order differs. JavaScript itself puts indices first and in order. */
function outOfPlace(shared: readonly string[], nextKeys: readonly string[]): ReadonlySet<string> {
  const isNamed = (key: string): boolean => !/^(0|[1-9]\d{0,8})$/.test(key)
  const named = nextKeys.filter(isNamed)
  const moved = shared.filter(isNamed)
  let same = 0
  while (same < moved.length && moved[same] === named[same]) same++
  return new Set(moved.slice(same))
}

/** From where to where the two sides differ. */
interface Range {
  readonly base: number
  readonly baseEnd: number
  readonly next: number
  readonly nextEnd: number
}

/** The range without the beginning and the end that are the same on both sides. */
function trim({ base, baseEnd, next, nextEnd }: Range, same: (base: number, next: number) => boolean): Range {
  while (base < baseEnd && next < nextEnd && same(base, next)) {
    base++
    next++
  }
  while (base < baseEnd && next < nextEnd && same(baseEnd - 1, nextEnd - 1)) {
    baseEnd--
    nextEnd--
  }
  return { base, baseEnd, next, nextEnd }
}

function whole(base: ArrayLike<unknown>, next: ArrayLike<unknown>): Range {
  return { base: 0, baseEnd: base.length, next: 0, nextEnd: next.length }
}

function compareUnits(base: string | Uint8Array, next: string | Uint8Array, place: Place): void {
  const range = trim(equalEnds(base, next), unitsOf(base, next))
  const count = range.baseEnd - range.base
  const put = next.slice(range.next, range.nextEnd)
  if (count + put.length === 0) return
  // 24: the numbers and the longer word of a splice.
  if (next.length < spliceUnitsMin || put.length + 24 > next.length) return set(next, place)
  place.ops.push(['splice', place.path, range.base, count, typeof put === 'string' ? put : toBase64(put)])
}

/**
 * Texts are first compared in blocks, as whole strings: unit by unit a text of 1 MB takes ten times as long.
 */
function equalEnds(base: string | Uint8Array, next: string | Uint8Array): Range {
  let start = 0
  let end = 0
  if (typeof base === 'string' && typeof next === 'string') {
    const block = 4096
    const most = Math.min(base.length, next.length) - block
    while (start <= most && base.startsWith(next.slice(start, start + block), start)) start += block
    while (
      start + end <= most &&
      base.endsWith(next.slice(next.length - end - block, next.length - end), base.length - end)
    )
      end += block
  }
  return { base: start, baseEnd: base.length - end, next: start, nextEnd: next.length - end }
}

function unitsOf(
  base: string | Uint8Array,
  next: string | Uint8Array,
): (base: number, next: number) => boolean {
  if (typeof base === 'string' && typeof next === 'string')
    return (b, n) => base.charCodeAt(b) === next.charCodeAt(n)
  return (b, n) => base[b] === next[n]
}

function compareLists(base: List, next: List, place: Place): void {
  const same = (b: number, n: number): boolean => sameValue(base[b], next[n])
  const known = knownAlike(next, base)
  const middle = trim({ ...whole(base, next), base: known, next: known }, same)
  // Items that are there on both sides, whatever became of their neighbours, divide the list into gaps. From
  // the last to the first, so that the indices of a gap are still those of the base when its changes apply.
  let { baseEnd, nextEnd } = middle
  for (const [b, n] of anchors(base, next, middle)) {
    compareGap(base, next, trim({ base: b + 1, baseEnd, next: n + 1, nextEnd }, same), place)
    baseEnd = b
    nextEnd = n
  }
  compareGap(base, next, trim({ ...middle, baseEnd, nextEnd }, same), place)
}

/** Positions of the same object, or long string, on both sides, in the same order on both, last first. */
function anchors(base: List, next: List, range: Range): [base: number, next: number][] {
  const canMove = (item: unknown): boolean =>
    typeof item === 'string' ? item.length >= spliceUnitsMin : isObject(item)
  const positions = new Map<unknown, number>()
  for (let b = range.base; b < range.baseEnd; b++) if (canMove(base[b])) positions.set(base[b], b)
  const pairs: [number, number][] = []
  for (let n = range.next; positions.size > 0 && n < range.nextEnd; n++) {
    const b = positions.get(next[n])
    if (b !== undefined) pairs.push([b, n])
  }
  return longestRise(pairs.map(([b]) => b)).map((i) => pairs[i] ?? [0, 0])
}

function compareGap(base: List, next: List, gap: Range, place: Place): void {
  const baseCount = gap.baseEnd - gap.base
  const nextCount = gap.nextEnd - gap.next
  if (baseCount + nextCount === 0) return
  const shared = Math.min(baseCount, nextCount)
  const each: Op[] = []
  for (let i = 0; i < shared; i++) {
    compare(base[gap.base + i], next[gap.next + i], { path: [...place.path, gap.base + i], ops: each })
  }
  let shortest = each
  if (baseCount !== nextCount) {
    each.push(splice(next, { ...gap, base: gap.base + shared, next: gap.next + shared }, place))
    const once = [splice(next, gap, place)]
    if (shared > 0 && sizeOf(once) <= sizeOf(each)) shortest = once
  }
  for (const op of shortest) place.ops.push(op)
}

function splice(next: List, gap: Range, { path }: Place): Op {
  const items = next.slice(gap.next, gap.nextEnd).map((item) => encodeAt(item, path.length + 1))
  return ['splice', path, gap.base, gap.baseEnd - gap.base, items]
}

function sizeOf(ops: readonly Op[]): number {
  return JSON.stringify(ops).length
}
