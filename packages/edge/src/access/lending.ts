import { WaystoneError, utf8 } from '@waystone/core'
import { keyPairOf } from '@waystone/encryption'

/** Shorter secrets can be guessed, in characters. */
const secretCharsMin = 32

/** The pair of keys of an edge that borrows, made from its secret: the same in every object and worker that has it. */
export function lendingPair(secret: string): Promise<CryptoKeyPair> {
  if (secret.length < secretCharsMin) {
    throw new WaystoneError(
      'input_refused',
      `expected a lending secret of at least ${String(secretCharsMin)} random characters, found ${String(secret.length)}`,
    )
  }
  return keyPairOf(utf8(secret))
}
