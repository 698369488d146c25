import { digestBytes, parseDigest, parseRunId, type Digest, type RunId } from '@waystone/core'

/** The run that most cases use. */
export const run: RunId = parseRunId('run-1')
/** Another one, whose id begins like it. */
export const other: RunId = parseRunId('run-10')

/** Bytes and their hash. */
export interface TestBlob {
  readonly bytes: Uint8Array
  readonly hash: Digest
}

/** Bytes with a pattern; another one for each `salt`. */
export function blobOf(size: number, salt = 0): TestBlob {
  return hashed(Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8) + salt) & 255))
}

/** Bytes that are as good as random. */
export function noiseOf(size: number): TestBlob {
  let state = 7
  return hashed(
    Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state >>> 24
    }),
  )
}

/** A blob that no other number gives. */
export function smallBlob(number: number): TestBlob {
  return hashed(Uint8Array.from([1, 2, 3, number >> 16, number >> 8, number]))
}

/** A value as a list: of one, or of none. */
export function listOf<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value]
}

function hashed(bytes: Uint8Array): TestBlob {
  return { bytes, hash: parseDigest(digestBytes(bytes)) }
}
