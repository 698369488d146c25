import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

export { fromBase64, fromUtf8, toBase64, utf8 } from './bytes.ts'

/**
 * SHA-256 of bytes as 64 digits of lowercase hex. Synchronous, since no transaction outlives an awaited
 * digest.
 */
export function digestBytes(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes))
}
