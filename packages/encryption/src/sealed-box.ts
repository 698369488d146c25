import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { concatBytes } from '@noble/hashes/utils.js'
import { utf8, WaystoneError } from '@waystone/core'

/**
 * HPKE in base mode (RFC 9180) with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM: anybody can seal for a public
 * key, and only its owner can open. P-256 since every Web Crypto has it (that of WebKitGTK has no X25519, 2026-11).
 */
const suite = new CipherSuite({
  kem: new DhkemP256HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
})

/** An encapsulated P-256 key is an uncompressed point (RFC 9180, 7.1). */
const encapsulatedBytes = 65

/** Seals bytes for the owner of a public key, an uncompressed point of 65 bytes. `use` says what for, and is authenticated. */
export async function sealFor(publicKey: Uint8Array, use: string, plain: Uint8Array): Promise<Uint8Array> {
  const recipientPublicKey = await readPublicKey(publicKey)
  const { enc, ct } = await suite.seal({ recipientPublicKey, info: buffer(utf8(use)) }, buffer(plain))
  return concatBytes(new Uint8Array(enc), new Uint8Array(ct))
}

/** Opens what was sealed for this pair and use. Rejects with `log_damaged` for anything else. */
export async function openSealed(pair: CryptoKeyPair, use: string, sealed: Uint8Array): Promise<Uint8Array> {
  try {
    const plain = await suite.open(
      {
        recipientKey: pair,
        enc: buffer(sealed.subarray(0, encapsulatedBytes)),
        info: buffer(utf8(use)),
      },
      buffer(sealed.subarray(encapsulatedBytes)),
    )
    return new Uint8Array(plain)
  } catch (cause) {
    throw new WaystoneError('log_damaged', `expected something sealed for this key and for "${use}"`, {
      cause,
    })
  }
}

/** A pair of keys whose private half can be used here and not be read, by nobody. */
export function newKeyPair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits'])
}

/** The pair of keys that a secret of at least 32 bytes makes (RFC 9180, 7.1.3). */
export function keyPairOf(secret: Uint8Array): Promise<CryptoKeyPair> {
  return suite.kem.deriveKeyPair(buffer(secret))
}

/** The public half of a pair: an uncompressed point of 65 bytes. */
export async function publicKeyOf({ publicKey }: CryptoKeyPair): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))
}

async function readPublicKey(bytes: Uint8Array): Promise<CryptoKey> {
  try {
    return await suite.kem.deserializePublicKey(buffer(bytes))
  } catch (cause) {
    throw new WaystoneError('input_refused', 'expected a public key: 65 bytes, a point of P-256', { cause })
  }
}

function buffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer
}
