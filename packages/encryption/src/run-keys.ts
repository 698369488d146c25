import { gcm } from '@noble/ciphers/aes.js'
import { randomBytes } from '@noble/ciphers/utils.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { fromUtf8, utf8, WaystoneError } from '@waystone/core'
import type { KeyId } from './key-id.ts'
import { keyPairOf } from './sealed-box.ts'

/** Bytes of every key here, for AES-256. */
export const keyBytes = 32

/** Of AES-GCM as NIST SP 800-38D recommends it, in bytes. */
const nonceBytes = 12
const tagBytes = 16

/** The first byte of a sealed blob: the number of its form. */
const blobForm = 1

/** What is done with one run key: each use has a key of its own, derived by HKDF (RFC 5869) with SHA-256. */
interface Uses {
  readonly body: Uint8Array
  readonly blob: Uint8Array
  readonly blobNonce: Uint8Array
  /** Of the pair that opens the inbox. */
  readonly inbox: Uint8Array
}

/** The run key of an id: 32 bytes derived from the user key, from which it cannot be told. */
export function runKey(userKey: Uint8Array, { run, generation }: KeyId): Uint8Array {
  return hkdf(sha256, userKey, utf8('waystone run key 1'), utf8(`${run}.${String(generation)}`), keyBytes)
}

function derived(key: Uint8Array, use: string): Uint8Array {
  return hkdf(sha256, key, utf8('waystone use 1'), utf8(use), keyBytes)
}

/** Seals with one run key, and opens what it sealed. Bytes that are given stay the caller's. */
export class RunKey {
  readonly #id: string
  readonly #uses: Uses
  readonly #random: (bytes: number) => Uint8Array
  #inbox: Promise<CryptoKeyPair> | undefined

  constructor(id: string, key: Uint8Array, random: (bytes: number) => Uint8Array = randomBytes) {
    this.#id = id
    this.#uses = {
      body: derived(key, 'body'),
      blob: derived(key, 'blob'),
      blobNonce: derived(key, 'blob nonce'),
      inbox: derived(key, 'inbox'),
    }
    this.#random = random
  }

  /** A random nonce of 12 bytes, then the ciphertext and its tag of 16. `place` is authenticated with it. */
  seal(place: Uint8Array, plain: Uint8Array): Uint8Array {
    const nonce = this.#random(nonceBytes)
    return concatBytes(nonce, gcm(this.#uses.body, nonce, place).encrypt(plain))
  }

  /** Throws `log_damaged` for what this key has not sealed for this place. */
  open(place: Uint8Array, sealed: Uint8Array): Uint8Array {
    return opened(
      this.#uses.body,
      place,
      sealed,
      `what key ${this.#id} has sealed for another place, or somebody else`,
    )
  }

  /**
   * The number of the form, the length of the key's id and the id, a nonce, then ciphertext and tag. The nonce is the
   * beginning of an HMAC-SHA-256 of the plain bytes, so that equal bytes are stored once, and only those who have the key
   * can tell what they might be.
   */
  sealBlob(plain: Uint8Array): Uint8Array {
    const head = blobHead(this.#id)
    const nonce = hmac(sha256, this.#uses.blobNonce, plain).subarray(0, nonceBytes)
    return concatBytes(head, nonce, gcm(this.#uses.blob, nonce, head).encrypt(plain))
  }

  /** The pair of the inbox: what was sealed for its public half only those open who have this key. */
  get inbox(): Promise<CryptoKeyPair> {
    this.#inbox ??= keyPairOf(this.#uses.inbox)
    return this.#inbox
  }

  /** Throws `log_damaged`. `sealed` begins with the head of this key. */
  openBlob(sealed: Uint8Array): Uint8Array {
    const head = blobHead(this.#id)
    return opened(
      this.#uses.blob,
      head,
      sealed.subarray(head.byteLength),
      `a blob that key ${this.#id} has not sealed`,
    )
  }
}

/** The id of the key that a blob was sealed with. Throws `log_damaged` for bytes that are no sealed blob. */
export function keyOfBlob(sealed: Uint8Array): string {
  const [form, length = 0] = sealed
  if (form !== blobForm || length === 0 || sealed.byteLength < 2 + length + nonceBytes + tagBytes)
    throw damaged('bytes that are no sealed blob')
  try {
    return fromUtf8(sealed.subarray(2, 2 + length))
  } catch (cause) {
    throw damaged('a blob whose key has no id', cause)
  }
}

function blobHead(id: string): Uint8Array {
  const text = utf8(id)
  return concatBytes(Uint8Array.of(blobForm, text.byteLength), text)
}

function opened(key: Uint8Array, place: Uint8Array, sealed: Uint8Array, found: string): Uint8Array {
  try {
    return gcm(key, sealed.subarray(0, nonceBytes), place).decrypt(sealed.subarray(nonceBytes))
  } catch (cause) {
    throw damaged(found, cause)
  }
}

function damaged(found: string, cause?: unknown): WaystoneError {
  return new WaystoneError('log_damaged', `expected something sealed, found ${found}`, { cause })
}
