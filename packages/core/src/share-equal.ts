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
  const [old, now] = [before, after] as readonly Readonly<Record<string, unknown>>[]
  const keys = Object.keys(after)
  const shared = keys.map((key) => [key, shareEqual(old?.[key], now?.[key])] as const)
  const isSame =
    Object.keys(before).length === keys.length &&
    shared.every(([key, value]) => Object.hasOwn(before, key) && Object.is(value, old?.[key]))
  if (isSame) return before
  return Array.isArray(after) ? shared.map(([, value]) => value) : Object.fromEntries(shared)
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
