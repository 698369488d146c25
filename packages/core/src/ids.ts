import { WaystoneError } from './errors.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** The id of a run: 1 to 100 characters of `A-Z a-z 0-9 . _ ~ -`, so that it stands in a URL unescaped. */
export type RunId = Branded<'RunId'>
/** The id of a device (a browser profile) or of the edge. */
export type OwnerId = Branded<'OwnerId'>
/** A SHA-256 as 64 lowercase hexadecimal digits, so that `sha256sum` prints the same. */
export type Digest = Branded<'Digest'>

const idPattern = /^[A-Za-z0-9._~-]{1,100}$/
const digestPattern = /^[0-9a-f]{64}$/

/** The owner id of a run's object at the edge. */
export const edgeOwner = 'edge' as OwnerId

/** True for a run id. */
export function isRunId(value: unknown): value is RunId {
  return typeof value === 'string' && idPattern.test(value) && value !== '.' && value !== '..'
}

/** Checks a run id. Throws `input_refused`. */
export function parseRunId(value: unknown): RunId {
  if (isRunId(value)) return value
  throw new WaystoneError(
    'input_refused',
    `a run id is 1 to 100 characters of A-Z a-z 0-9 . _ ~ -; found ${JSON.stringify(value)}`,
  )
}

/** Checks an owner id. Throws `input_refused`. */
export function parseOwnerId(value: unknown): OwnerId {
  if (typeof value === 'string' && idPattern.test(value)) return value as OwnerId
  throw new WaystoneError(
    'input_refused',
    `an owner id is 1 to 100 characters of A-Z a-z 0-9 . _ ~ -; found ${JSON.stringify(value)}`,
  )
}

/** True for a digest. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && digestPattern.test(value)
}

/** All in a text that looks like a digest. */
export function digestsIn(text: string): readonly string[] {
  return text.match(/[0-9a-f]{64}/g) ?? []
}

/** Checks a digest. Throws `input_refused`. */
export function parseDigest(value: unknown): Digest {
  if (isDigest(value)) return value
  throw new WaystoneError(
    'input_refused',
    `a digest is 64 lowercase hex digits; found ${JSON.stringify(value)}`,
  )
}

/** Makes ids from random bytes; the bytes come from outside because core knows no platform. */
export function newId(random: (bytes: number) => Uint8Array): string {
  let id = ''
  for (const byte of random(20)) id += alphabet[byte & 31]
  return id
}

/** Crockford's base 32 in lower case: no letter is mistaken for a digit. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
