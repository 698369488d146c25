import { isBytesKind, isObject, kindOf } from './value.ts'
import { bytesOf } from './views.ts'

/** Parts of one value that are looked at: it takes no longer for a large one. */
const partsMax = 24
/** Items of one list, or names of one object. */
const itemsMax = 8
/** Characters at the beginning, in the middle and at the end of a text, and bytes of a view. */
const unitsMax = 16

/**
 * A number that equal values share, and different ones rarely do: what it is equal for may be the same, what it differs
 * for is not. Looks at a bounded number of parts, so that a large value costs no more than a small one.
 */
export function fingerprint(value: unknown): number {
  let hash = 0x811c9dc5
  let parts = 0
  visit(value)
  return hash

  // FNV-1a.
  function add(number: number): void {
    hash = Math.imul(hash ^ number, 0x01000193)
  }

  function visit(part: unknown): void {
    if (parts++ >= partsMax) return
    if (isObject(part)) visitObject(part)
    else if (typeof part === 'string') addText(part)
    else addText(typeof part + String(part))
  }

  function addText(text: string): void {
    addUnits(text.length, (i) => text.charCodeAt(i))
  }

  function addUnits(length: number, at: (i: number) => number): void {
    add(length)
    const most = Math.min(length, unitsMax)
    for (const from of length > most ? [0, (length - most) >> 1, length - most] : [0])
      for (let i = 0; i < most; i++) add(at(from + i))
  }

  function visitObject(object: object): void {
    const kind = kindOf(object)
    addText(String(kind))
    if (isBytesKind(kind)) {
      const bytes = bytesOf(object)
      addUnits(bytes.length, (i) => bytes[i] ?? 0)
    } else if (kind === 'array') some(object as readonly unknown[])
    else if (kind === 'map') some([...(object as Map<unknown, unknown>)].flat())
    else if (kind === 'set') some([...(object as Set<unknown>)])
    else if (kind === 'date') add((object as Date).getTime())
    else if (kind === 'object') {
      const keys = Object.keys(object)
      some(keys, (key) => {
        addText(key)
        visit((object as Record<string, unknown>)[key])
      })
    }
  }

  /** Visits the first and the last items, and some between. */
  function some<T>(items: readonly T[], look: (item: T) => void = visit): void {
    add(items.length)
    const count = Math.min(items.length, itemsMax)
    for (let i = 0; i < count; i++)
      look(items[count === items.length ? i : Math.floor((i * (items.length - 1)) / (count - 1))] as T)
  }
}
