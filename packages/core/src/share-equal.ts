/**
 * What comes after, with those parts of what was before that are equal to it: whoever compares by identity sees what has
 * changed, and nothing else. Looks into arrays and plain objects.
 */
export function shareEqual<T>(before: unknown, after: T): T {
  if (Object.is(before, after)) return after
  if (Array.isArray(before) && Array.isArray(after)) return shareParts(before, after) as T
  if (isPlain(before) && isPlain(after)) return shareParts(before, after) as T
  return after
}

function shareParts(before: object, after: object): object {
  const old = new Map<string, unknown>(Object.entries(before))
  const parts = Object.entries(after)
  const shared = parts.map(
    ([key, value]) => [key, old.has(key) ? shareEqual(old.get(key), value) : value] as const,
  )
  const isSame =
    old.size === parts.length &&
    shared.every(([key, value]) => old.has(key) && Object.is(value, old.get(key)))
  if (isSame && lengthOf(before) === lengthOf(after)) return before
  // An array with holes is not looked into any further.
  if (Array.isArray(after)) return parts.length === after.length ? shared.map(([, value]) => value) : after
  return Object.fromEntries(shared)
}

function lengthOf(value: object): number | undefined {
  return Array.isArray(value) ? value.length : undefined
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
