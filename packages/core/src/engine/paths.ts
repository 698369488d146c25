import { WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import { nameInPath } from '../log/name-in-path.ts'
import { digestBytes, utf8 } from '../state/digest.ts'

/**
 * The path of a name in a scope; a slash within a name is written `%2F`. Throws `input_refused`, also for half of a surrogate pair: two names
 * that differ in such halves are one where they are stored as UTF-8.
 */
export function joinPath(scope: string, name: string): string {
  if (
    typeof name !== 'string' ||
    name.length === 0 ||
    name.length > limits.nameCharsMax ||
    !name.isWellFormed()
  ) {
    throw new WaystoneError(
      'input_refused',
      `a name inside ${scope} is 1 to ${String(limits.nameCharsMax)} characters, found ${JSON.stringify(name)}`,
      { path: scope },
    )
  }
  return `${scope}/${nameInPath(name)}`
}

/**
 * The key to send with an effect so that its receiver can tell a repetition: SHA-256 of the origin and the path. The
 * origin is the digest of the newest start, fork or rewind entry: a payment after a rewind is another payment.
 */
export function effectKey(origin: Digest, path: string): Digest {
  return digestBytes(utf8(`${origin}\n${path}`)) as Digest
}

/** Random numbers that are the same at every replay: SHA-256 of a seed and a counter. */
export function seededRandom(seed: string): () => number {
  let count = 0
  return () => {
    const hex = digestBytes(utf8(`${seed}\n${String(count++)}`))
    return parseInt(hex.slice(0, 13), 16) / 2 ** 52
  }
}
