import type { KeyChange } from './bodies.ts'

/**
 * Where the value of a key is: in the entry `seq`. One that is told as what changed since another has `depth` others
 * below it, and needs entries back to `oldest`.
 */
export type KeyNote =
  readonly [key: string, seq: number] | readonly [key: string, seq: number, depth: number, oldest: number]

/**
 * The keyed records of a session: which entry has the value of each key. Immutable; two of them share what is the same.
 * Pages in the order of their keys, none of them empty, each about as long as there are pages: with n keys a change copies
 * about the square root of n notes. Plain JSON.
 */
export type KeyIndex = readonly KeyPage[]
type KeyPage = readonly KeyNote[]

/** Which keys: `from` is one of them, `to` is not; in the order of their UTF-16 code units, or the other way round. */
export interface KeyRange {
  readonly from?: string
  readonly to?: string
  readonly reverse?: boolean
}

/** A page is split when it has more notes than this, and than there are pages. */
const pageNotesMin = 64

/** Where the value of a key is; undefined when it has none. */
export function keyAt(index: KeyIndex, key: string): KeyNote | undefined {
  const page = index[pageOf(index, key)] ?? []
  const note = page[placeIn(page, key)]
  return note?.[0] === key ? note : undefined
}

/** How many other values this one is told by. */
export function depthOf(note: KeyNote): number {
  return note[2] ?? 0
}

/** The first entry that a value needs. */
export function oldestOf(note: KeyNote): number {
  return note[3] ?? note[1]
}

/**
 * The index after the changes that entry `seq` makes. A value like another has to name the one that is current: undefined
 * when it does not.
 */
export function withChanges(
  index: KeyIndex,
  changes: readonly KeyChange[],
  seq: number,
): KeyIndex | undefined {
  const pages = [...index]
  const own = new Set<KeyPage>()
  for (const change of changes) {
    const { key } = change
    if ('gone' in change) replace(pages, own, key)
    else if ('value' in change) replace(pages, own, key, [key, seq])
    else {
      const like = keyAt(index, change.like.key)
      if (like?.[1] !== change.like.seq) return undefined
      replace(pages, own, key, [key, seq, depthOf(like) + 1, oldestOf(like)])
    }
  }
  return pages
}

/** The notes of a range of keys. The index must not be another one before the end. */
export function* notesIn(index: KeyIndex, { from = '', to, reverse = false }: KeyRange): Generator<KeyNote> {
  const isIn = ([key]: KeyNote): boolean => key >= from && (to === undefined || key < to)
  if (!reverse) {
    for (let at = Math.max(0, pageOf(index, from)); at < index.length; at += 1) {
      const page = index[at] as KeyPage
      for (const note of page) {
        if (isIn(note)) yield note
        else if (note[0] >= from) return
      }
    }
    return
  }
  for (let at = to === undefined ? index.length - 1 : pageOf(index, to); at >= 0; at -= 1) {
    const page = index[at] as KeyPage
    for (let place = page.length - 1; place >= 0; place -= 1) {
      const note = page[place] as KeyNote
      if (isIn(note)) yield note
      else if (note[0] < from) return
    }
  }
}

/** The first entry that any of the values needs; Infinity when there is none. Looks at every key. */
export function oldestIn(index: KeyIndex): number {
  let oldest = Infinity
  for (const page of index) for (const note of page) oldest = Math.min(oldest, oldestOf(note))
  return oldest
}

/** The last page that begins at or before a key; -1 when none does. */
function pageOf(index: KeyIndex, key: string): number {
  let low = 0
  let high = index.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (firstOf(index[middle]) <= key) low = middle + 1
    else high = middle
  }
  return low - 1
}

function firstOf(page: KeyPage | undefined): string {
  return page?.[0]?.[0] ?? ''
}

/** Where in a page a key stands, or would. */
function placeIn(page: KeyPage, key: string): number {
  let low = 0
  let high = page.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((page[middle] as KeyNote)[0] < key) low = middle + 1
    else high = middle
  }
  return low
}

/** `own`: the pages that were made here, and may be written to. */
function replace(pages: KeyPage[], own: Set<KeyPage>, key: string, note?: KeyNote): void {
  const at = Math.max(0, pageOf(pages, key))
  const before = pages[at] ?? []
  const place = placeIn(before, key)
  const isThere = before[place]?.[0] === key
  if (!isThere && note === undefined) return
  const page = own.has(before) ? (before as KeyNote[]) : [...before]
  page.splice(place, isThere ? 1 : 0, ...(note ? [note] : []))
  own.add(page)
  if (page.length === 0) pages.splice(at, 1)
  else if (page.length <= Math.max(pageNotesMin, pages.length)) pages[at] = page
  else {
    const later = page.splice(page.length >> 1)
    own.add(later)
    pages.splice(at, 1, page, later)
  }
}
