import { WaystoneError } from '@waystone/core'
import { exportJWK, generateKeyPair, generateSecret, type JWK } from 'jose'

/** `EdDSA`: the edge knows only the public half and can mint nothing. `HS256`: one secret signs and verifies. */
export type KeyAlgorithm = 'EdDSA' | 'HS256'

/** A key that signs or verifies tokens: a JSON Web Key (RFC 7517) with its name and algorithm. */
export interface AccessKey extends JWK {
  readonly kid: string
  readonly alg: KeyAlgorithm
}

/** Makes a key. Of an `EdDSA` key give the edge `publicKey` only; of an `HS256` key both are the same secret. */
export async function newAccessKey(
  kid: string,
  alg: KeyAlgorithm = 'EdDSA',
): Promise<{ readonly key: AccessKey; readonly publicKey: AccessKey }> {
  if (alg === 'HS256') {
    const secret = await exportJWK(await generateSecret('HS256', { extractable: true }))
    const key = { ...secret, kid, alg }
    return { key, publicKey: key }
  }
  const pair = await generateKeyPair('EdDSA', { extractable: true })
  return {
    key: { ...(await exportJWK(pair.privateKey)), kid, alg },
    publicKey: { ...(await exportJWK(pair.publicKey)), kid, alg },
  }
}

/**
 * Keys from JSON: a key, a list of keys, or `{ keys }` (RFC 7517). To rotate, add the new key, sign with it, and take the
 * old one away when its last token has expired. Throws `input_refused`; says nothing of what it was given.
 */
export function parseAccessKeys(text: string): readonly AccessKey[] {
  const keys = listOf(parseJson(text))
  const names = new Set(keys.map((key) => (isAccessKey(key) ? key.kid : undefined)))
  if (keys.length > 0 && keys.every(isAccessKey) && names.size === keys.length) return keys
  throw new WaystoneError(
    'input_refused',
    'expected access keys: JSON Web Keys, each with a "kid" of its own, and "alg" EdDSA (an Ed25519 key) or HS256 (a secret of 32 bytes or more)',
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (typeof value !== 'object' || value === null) return []
  return 'keys' in value && Array.isArray(value.keys) ? value.keys : [value]
}

function isAccessKey(value: unknown): value is AccessKey {
  const key = typeof value === 'object' && value !== null ? (value as JWK) : {}
  if (typeof key.kid !== 'string' || key.kid === '') return false
  if (key.alg === 'HS256') return key.kty === 'oct' && (key.k?.length ?? 0) >= secretCharsMin
  return key.alg === 'EdDSA' && key.kty === 'OKP' && key.crv === 'Ed25519' && typeof key.x === 'string'
}

/** 32 bytes in base64url: a shorter secret is found by trying (RFC 7518, 3.2). */
const secretCharsMin = 43
