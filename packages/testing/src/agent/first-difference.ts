import { encodeValue, sameValue } from '@waystone/core'

/** Where two values differ first, and what is there. */
export interface Difference {
  /** Such as `state.notes.2`. */
  readonly where: string
  readonly expected: unknown
  readonly found: unknown
}

/** The first difference of two values; undefined when they are the same. */
export function firstDifference(where: string, expected: unknown, found: unknown): Difference | undefined {
  if (sameValue(expected, found)) return undefined
  if (isParent(expected) && isParent(found) && Array.isArray(expected) === Array.isArray(found)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      const inner = firstDifference(`${where}.${key}`, expected[key], found[key])
      if (inner) return inner
    }
  }
  return { where, expected, found }
}

/** A value in words, cut to a line that people read. */
export function show(value: unknown): string {
  let text: string
  try {
    text = value === undefined ? 'nothing' : JSON.stringify(encodeValue(value))
  } catch {
    text = String(value)
  }
  return text.length > showCharsMax ? `${text.slice(0, showCharsMax)}...` : text
}

const showCharsMax = 200

function isParent(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}
