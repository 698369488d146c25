import { fingerprint } from './fingerprint.ts'
import { longestRise } from './rise.ts'
import type { Range } from './unit-ranges.ts'
import { isObject, spliceUnitsMin } from './value.ts'

export type List = readonly unknown[]
/** True when the same stands at two positions of two lists. */
export type SameAt = (base: number, next: number) => boolean

/** Items of a list in which also numbers and short texts are looked for at other positions. */
const smallItemsMax = 100_000
/** Items with one fingerprint that are compared before giving up. */
const triesMax = 4

/** The range without the beginning and the end that are the same on both sides. */
export function trim({ base, baseEnd, next, nextEnd }: Range, same: SameAt): Range {
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

/** How two lists differ. */
export interface Gaps {
  /**
   * What lies between the items that both share in the same order, last first, so that the positions of a gap are still
   * those of the base when its changes apply. May be empty on one side.
   */
  readonly gaps: readonly Range[]
  /** Positions in the next list of items that the base has somewhere else. */
  readonly moved: ReadonlySet<number>
}

/** Compares what two lists do not have in common at their ends. */
export function gapsOf(base: List, next: List, middle: Range, same: SameAt): Gaps {
  const [before, after] = [middle.baseEnd - middle.base, middle.nextEnd - middle.next]
  // Most lists grow at their end: nothing can have moved.
  if (before === 0 || after === 0) return { gaps: before + after === 0 ? [] : [middle], moved: new Set() }
  const gaps: Range[] = []
  const pairs = partners(base, next, middle, same)
  const moved = new Set(pairs.map(([, n]) => n))
  let { baseEnd, nextEnd } = middle
  const add = (from: number, fromNext: number): void => {
    const gap = trim({ base: from, baseEnd, next: fromNext, nextEnd }, same)
    if (gap.base < gap.baseEnd || gap.next < gap.nextEnd) gaps.push(gap)
  }
  for (const i of longestRise(pairs.map(([b]) => b))) {
    const [b, n] = pairs[i] as Pair
    moved.delete(n)
    add(b + 1, n + 1)
    baseEnd = b
    nextEnd = n
  }
  add(middle.base, middle.next)
  return { gaps: isInPlace(middle, gaps.length, same) ? [middle] : gaps, moved }
}

/** True when fewer items differ position by position than there are gaps: a vector whose numbers changed. */
function isInPlace({ base, baseEnd, next, nextEnd }: Range, most: number, same: SameAt): boolean {
  if (most < 2 || baseEnd - base !== nextEnd - next) return false
  let different = 0
  for (let i = 0; base + i < baseEnd && different <= most; i++) if (!same(base + i, next + i)) different++
  return different <= most
}

type Pair = readonly [base: number, next: number]

/** Positions of the same item on both sides, by those in the next list. */
function partners(base: List, next: List, range: Range, same: SameAt): readonly Pair[] {
  const pairs: Pair[] = []
  const taken = new Set<number>()
  let rest: number[] = []
  for (let n = range.next; n < range.nextEnd; n++) rest.push(n)
  const isSmall = range.baseEnd - range.base <= smallItemsMax && rest.length <= smallItemsMax
  const isTold = (item: unknown): boolean =>
    isSmall || isObject(item) || (typeof item === 'string' && item.length >= spliceUnitsMin)
  // First the same objects, which costs no look inside; then, of those without a partner, equal ones.
  for (const [canMove, keyOf] of [
    [isTold, (item: unknown) => item],
    [isObject, fingerprint],
  ] as const) {
    const waiting = new Map<unknown, number[]>()
    for (let b = range.baseEnd - 1; b >= range.base; b--) {
      if (taken.has(b) || !canMove(base[b])) continue
      const key = keyOf(base[b])
      const positions = waiting.get(key)
      if (positions) positions.push(b)
      else waiting.set(key, [b])
    }
    rest = rest.filter((n) => {
      const positions = waiting.size > 0 && canMove(next[n]) ? waiting.get(keyOf(next[n])) : undefined
      const b = positions && takeSame(positions, n, same)
      if (b === undefined) return true
      taken.add(b)
      pairs.push([b, n])
      return false
    })
  }
  return pairs.sort((a, b) => a[1] - b[1])
}

/** Takes the first of the last few positions that has the same item. */
function takeSame(positions: number[], n: number, same: SameAt): number | undefined {
  for (let i = positions.length - 1; i >= Math.max(0, positions.length - triesMax); i--) {
    const [b] = same(positions[i] ?? 0, n) ? positions.splice(i, 1) : []
    if (b !== undefined) return b
  }
  return undefined
}
