/** From where to where two texts, or lists, differ. */
export interface Range {
  readonly base: number
  readonly baseEnd: number
  readonly next: number
  readonly nextEnd: number
}

/** Texts are compared in blocks, as whole strings: unit by unit a text of 1 MB takes ten times as long. */
const blockUnits = 4096
/** What stands so long the same on both sides ends a change: less is not worth a change of its own. */
const probeUnits = 32
/** The longest way to look for the end of a change, doubled at every look. */
const aheadUnitsMax = 65_536
/** Changes in one text; the rest of it is one more. */
const rangesMax = 200

/**
 * Where two texts differ, first to last. Bounded work: looks for the end of a change at a few places, so a change may be
 * told larger than it is, but never smaller.
 */
export function textRanges(base: string, next: string): readonly Range[] {
  const ranges: Range[] = []
  let b = sameUnits(base, 0, next, 0)
  let n = b
  const end = sameEnd(base, next, b)
  const baseEnd = base.length - end
  const nextEnd = next.length - end
  while (b < baseEnd || n < nextEnd) {
    const found =
      ranges.length < rangesMax ? meetAgain(base.slice(b, baseEnd), next.slice(n, nextEnd)) : undefined
    if (!found) return [...ranges, { base: b, baseEnd, next: n, nextEnd }]
    let [baseTo, nextTo] = [b + found.base, n + found.next]
    while (baseTo > b && nextTo > n && base.charCodeAt(baseTo - 1) === next.charCodeAt(nextTo - 1)) {
      baseTo--
      nextTo--
    }
    ranges.push({ base: b, baseEnd: baseTo, next: n, nextEnd: nextTo })
    const same = Math.min(sameUnits(base, baseTo, next, nextTo), baseEnd - baseTo, nextEnd - nextTo)
    b = baseTo + same
    n = nextTo + same
  }
  return ranges
}

/**
 * Where bytes differ, first to last. Those of a view change in place, so that their positions tell; bytes of another length
 * are another value, of which only the ends are compared.
 */
export function bytesRanges(base: Uint8Array, next: Uint8Array): readonly Range[] {
  let [baseEnd, nextEnd] = [base.length, next.length]
  let b = 0
  while (b < baseEnd && b < nextEnd && base[b] === next[b]) b++
  while (baseEnd > b && nextEnd > b && base[baseEnd - 1] === next[nextEnd - 1]) {
    baseEnd--
    nextEnd--
  }
  const ranges: Range[] = []
  // `same`: how long the bytes before `i` are the same.
  for (let i = b, same = 0; i < baseEnd && baseEnd === nextEnd && ranges.length < rangesMax; i++) {
    same = base[i] === next[i] ? same + 1 : 0
    if (same === 0 && b < 0) b = i
    if (same !== probeUnits || b < 0) continue
    const end = i + 1 - same
    ranges.push({ base: b, baseEnd: end, next: b, nextEnd: end })
    b = -1
  }
  if (b < 0) b = ranges.at(-1)?.baseEnd ?? 0
  if (b < baseEnd || b < nextEnd) ranges.push({ base: b, baseEnd, next: b, nextEnd })
  return ranges
}

/** How many units from two positions on are the same. */
function sameUnits(base: string, b: number, next: string, n: number): number {
  const most = Math.min(base.length - b, next.length - n)
  let same = 0
  while (same + blockUnits <= most && base.startsWith(next.slice(n + same, n + same + blockUnits), b + same))
    same += blockUnits
  while (same < most && base.charCodeAt(b + same) === next.charCodeAt(n + same)) same++
  return same
}

/** How many units at the ends are the same, in what comes after the first `from`. */
function sameEnd(base: string, next: string, from: number): number {
  const most = Math.min(base.length, next.length) - from
  let same = 0
  while (
    same + blockUnits <= most &&
    base.endsWith(next.slice(next.length - same - blockUnits, next.length - same), base.length - same)
  )
    same += blockUnits
  while (same < most && base.charCodeAt(base.length - same - 1) === next.charCodeAt(next.length - same - 1))
    same++
  return same
}

/** Where two texts that begin differently are the same for a while; the nearest of what a few looks find. */
function meetAgain(base: string, next: string): { readonly base: number; readonly next: number } | undefined {
  for (let ahead = 0; ahead <= aheadUnitsMax; ahead = ahead * 2 || probeUnits) {
    const inNext = find(next, base, ahead)
    const inBase = find(base, next, ahead)
    if (inNext >= 0 && (inBase < 0 || inNext <= inBase)) return { base: ahead, next: inNext }
    if (inBase >= 0) return { base: inBase, next: ahead }
  }
  return undefined
}

/** Where `text` has what stands `ahead` in `other`; -1 for nowhere. */
function find(text: string, other: string, ahead: number): number {
  return ahead + probeUnits <= other.length ? text.indexOf(other.slice(ahead, ahead + probeUnits)) : -1
}
