import { readFileSync } from 'node:fs'
import { fromBase64, fromUtf8, parseRunId, toBase64, utf8 } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { userCipher } from './cipher.ts'
import { openLent } from './lending.ts'
import { keyOfBlob, runKey } from './run-keys.ts'
import { keyPairOf, openSealed, publicKeyOf } from './sealed-box.ts'

interface Vectors {
  readonly userKey: { readonly id: string; readonly key: string }
  readonly keyId: string
  readonly runKey: string
  readonly body: {
    readonly place: string
    readonly nonce: string
    readonly plain: string
    readonly sealed: string
  }
  readonly blob: { readonly plain: string; readonly sealed: string }
  readonly box: {
    readonly secret: string
    readonly publicKey: string
    readonly use: string
    readonly plain: string
    readonly sealed: string
  }
  readonly lent: { readonly run: string; readonly until: number; readonly sealed: string }
}

/** What the first version wrote, all bytes in base64. It never changes: what was sealed once can always be opened. */
const vectors = JSON.parse(
  readFileSync(new URL('../golden/vectors-1.json', import.meta.url), 'utf8'),
) as Vectors
const userKey = { id: vectors.userKey.id, key: fromBase64(vectors.userKey.key) }
const { keyId, body, blob, box } = vectors
const cipher = userCipher([userKey], () => fromBase64(body.nonce))

/** HKDF of Web Crypto, to check the one that is used here. */
async function hkdf(key: Uint8Array, salt: string, info: string): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey('raw', Uint8Array.from(key), 'HKDF', false, ['deriveBits'])
  const how = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: Uint8Array.from(utf8(salt)),
    info: Uint8Array.from(utf8(info)),
  }
  return new Uint8Array(await crypto.subtle.deriveBits(how, imported, 256))
}

async function decrypt(key: Uint8Array<ArrayBuffer>, place: Uint8Array, sealed: Uint8Array): Promise<string> {
  const imported = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt'])
  const iv = Uint8Array.from(sealed.subarray(0, 12))
  const how = { name: 'AES-GCM', iv, additionalData: Uint8Array.from(place) }
  return fromUtf8(
    new Uint8Array(await crypto.subtle.decrypt(how, imported, Uint8Array.from(sealed.subarray(12)))),
  )
}

describe('the test vectors', () => {
  it('have run keys as RFC 5869 derives them', async () => {
    const derived = runKey(userKey.key, { user: 'u', run: parseRunId('tides'), generation: 2 })
    expect(toBase64(derived)).toBe(vectors.runKey)
    expect(toBase64(await hkdf(userKey.key, 'waystone run key 1', 'tides.2'))).toBe(vectors.runKey)
  })

  it('have bodies in AES-256-GCM, for one place in a log', async () => {
    expect(toBase64(cipher.seal(keyId, utf8(body.place), utf8(body.plain)))).toBe(body.sealed)
    expect(fromUtf8(cipher.open(keyId, utf8(body.place), fromBase64(body.sealed)))).toBe(body.plain)
    const key = await hkdf(fromBase64(vectors.runKey), 'waystone use 1', 'body')
    expect(await decrypt(key, utf8(body.place), fromBase64(body.sealed))).toBe(body.plain)
  })

  it('have blobs that are the same whenever the same bytes are sealed', async () => {
    const sealed = fromBase64(blob.sealed)
    expect(toBase64(cipher.sealBlob(keyId, utf8(blob.plain)))).toBe(blob.sealed)
    expect(fromUtf8(cipher.openBlob(sealed))).toBe(blob.plain)
    expect(keyOfBlob(sealed)).toBe(keyId)
    const head = sealed.subarray(0, 2 + keyId.length)
    const key = await hkdf(fromBase64(vectors.runKey), 'waystone use 1', 'blob')
    expect(await decrypt(key, head, sealed.subarray(head.length))).toBe(blob.plain)
  })

  it('have boxes of HPKE, and lent keys in one', async () => {
    const pair = await keyPairOf(fromBase64(box.secret))
    expect(toBase64(await publicKeyOf(pair))).toBe(box.publicKey)
    expect(fromUtf8(await openSealed(pair, box.use, fromBase64(box.sealed)))).toBe(box.plain)
    const { run, sealed, until } = vectors.lent
    const lent = await openLent(pair, parseRunId(run), sealed)
    expect(lent.until).toBe(until)
    expect([...lent.keys].map(([id, key]) => [id, toBase64(key)])).toEqual([[keyId, vectors.runKey]])
  })
})
