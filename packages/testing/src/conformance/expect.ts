import { isWaystoneError, type ErrorCode } from '@waystone/core'

/** Throws when two values of plain data differ; properties that are undefined count as absent. */
export function expectEqual(found: unknown, expected: unknown, what: string): void {
  const [left, right] = [plain(found), plain(expected)]
  if (left !== right) throw new Error(`${what}: expected ${short(right)}, found ${short(left)}`)
}

/** Throws when two lists of byte arrays differ in a single byte. */
export function expectBytes(
  found: readonly Uint8Array[],
  expected: readonly Uint8Array[],
  what: string,
): void {
  expectEqual(found.length, expected.length, `${what}, how many`)
  for (const [index, bytes] of expected.entries()) {
    const other = found[index] as Uint8Array
    const differs = other.byteLength !== bytes.byteLength || bytes.some((byte, at) => byte !== other[at])
    if (differs) {
      const sizes = `${String(bytes.byteLength)} bytes expected, ${String(other.byteLength)} found`
      throw new Error(`${what}: number ${String(index)} is not the bytes that were given (${sizes})`)
    }
  }
}

/** Throws unless a promise rejects with an error of Waystone that has this code. */
export async function expectCode(promise: Promise<unknown>, code: ErrorCode, what: string): Promise<void> {
  const outcome = await promise.then(
    (value) => `it resolved with ${short(plain(value))}`,
    (error: unknown) => (isWaystoneError(error, code) ? undefined : `it rejected with ${String(error)}`),
  )
  if (outcome !== undefined) throw new Error(`${what}: expected a rejection with ${code}, but ${outcome}`)
}

/** Plain data as text, the properties of objects in order of their names. */
function plain(value: unknown): string {
  const sorted = (_: string, part: unknown): unknown => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  return JSON.stringify(value, sorted) ?? 'undefined'
}

function short(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}...` : text
}
