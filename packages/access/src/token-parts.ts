import { WaystoneError } from '@waystone/core'
import { exportJWK, generateKeyPair, type JWK } from 'jose'

/** Who a token is for: a token of another service that shares the keys is none of ours. */
export const audience = 'waystone'
/** The type in the header of a restriction, so that none is taken for a token, nor a token for one. */
export const restrictionType = 'waystone-restriction'
/** A token as text, in characters: more is refused before anything is verified. */
export const tokenCharsMax = 8_000
/** How often a token may be made narrower. */
export const restrictionsMax = 4

/**
 * The parts of a token. `signed` is a JSON Web Token; whoever made it put the public half of a key into it, and the private
 * half, `holderKey`, at its end. Who holds that can add a restriction, signed with it, which names the next key. Earlier
 * keys are not passed on, so no restriction can be taken off: the construction of Biscuit tokens.
 */
export interface TokenParts {
  readonly signed: string
  readonly restrictions: readonly string[]
  /** The private half of the last key, the number `d` of a JSON Web Key. Without one nothing can be narrowed. */
  readonly holderKey: string | undefined
}

/** A token as text, fit for a header. The inverse of `splitToken`. */
export function joinToken({ signed, restrictions, holderKey }: TokenParts): string {
  return holderKey === undefined ? signed : [signed, ...restrictions, holderKey].join('~')
}

/** The parts of a token. Throws `unauthorized` for what cannot be one. */
export function splitToken(token: string): TokenParts {
  const [signed = '', ...rest] = token.length > tokenCharsMax ? [] : token.split('~')
  const holderKey = rest.pop()
  if (signed === '' || rest.length > restrictionsMax) throw notValid()
  return { signed, restrictions: rest, holderKey }
}

/** A new key for whoever holds a token. */
export async function newHolderKey(): Promise<{ readonly publicKey: JWK; readonly holderKey: string }> {
  const pair = await generateKeyPair('EdDSA', { extractable: true })
  const { d = '', ...publicKey } = await exportJWK(pair.privateKey)
  return { publicKey: publicOf(publicKey), holderKey: d }
}

/** What of a key stands in a token. */
export function publicOf({ kty = '', crv = '', x = '' }: JWK): JWK {
  return { kty, crv, x }
}

/** The error for a token that is none: it says nothing of why. */
export function notValid(cause?: unknown): WaystoneError {
  return new WaystoneError('unauthorized', 'this token is not valid', cause === undefined ? {} : { cause })
}
