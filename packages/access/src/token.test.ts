import { SignJWT, importJWK } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Grant } from './grant.ts'
import { newAccessKey, parseAccessKeys, type AccessKey, type KeyAlgorithm } from './keys.ts'
import { mintToken } from './mint-token.ts'
import { narrowToken } from './narrow-token.ts'
import { verifyToken } from './verify-token.ts'

const grant: Grant = {
  tenant: 'acme',
  subject: 'ana',
  runs: ['ana.*'],
  operations: ['read', 'append', 'answer'],
}
const now = Date.UTC(2026, 10, 21)

describe.each<KeyAlgorithm>(['EdDSA', 'HS256'])('a token signed with %s', (alg) => {
  let key: AccessKey
  let publicKey: AccessKey
  beforeAll(async () => {
    ;({ key, publicKey } = await newAccessKey('first', alg))
  })
  const verify = (token: string, at = now) => verifyToken([publicKey], token, { now: at })
  const unauthorized = expect.objectContaining({ code: 'unauthorized' })

  it('says what whoever holds it may do, and until when', async () => {
    const token = await mintToken(key, grant, { now, lifetime: '5m' })
    expect(await verify(token)).toEqual({ ...grant, until: now + 300_000 })
  })

  it('ends, does not begin before its time, and is short-lived', async () => {
    const token = await mintToken(key, grant, { now, lifetime: '5m' })
    await expect(verify(token, now + 331_000)).rejects.toThrow(/has expired/)
    await expect(verify(await mintToken(key, grant, { now, lifetime: '2h' }))).rejects.toEqual(unauthorized)
    await expect(verify(await mintToken(key, grant, { now: now + 60_000 }))).rejects.toEqual(unauthorized)
  })

  it('is made narrower by whoever holds it, again and again, and never wider', async () => {
    const token = await mintToken(key, grant, { now })
    const less = await narrowToken(token, {
      operations: ['read', 'delete'],
      runs: ['ana.1*'],
      now,
      lifetime: '1m',
    })
    expect(await verify(less)).toEqual({
      ...grant,
      operations: ['read'],
      runs: ['ana.1*'],
      until: now + 60_000,
    })
    const least = await narrowToken(less, { runs: ['*'], operations: ['append'], now, lifetime: '30m' })
    expect(await verify(least)).toMatchObject({ operations: [], runs: ['ana.1*'], until: now + 60_000 })
    await expect(verify(less, now + 100_000)).rejects.toThrow(/has expired/)
  })

  it('cannot be widened by taking a restriction off, changing it, or putting it on another token', async () => {
    const token = await mintToken(key, grant, { now })
    const less = await narrowToken(token, { operations: ['read'] })
    const least = await narrowToken(less, { runs: ['ana.1'] })
    const [signed = '', one = '', two = '', last = ''] = least.split('~')
    const other = (await mintToken(key, grant, { now })).split('~')
    const forged = await narrowToken(other.join('~'), { operations: ['read', 'append'] })
    for (const wrong of [
      signed,
      `${signed}~${last}`,
      `${signed}~${one}~${last}`,
      `${signed}~${two}~${last}`,
      `${signed}~${two}~${one}~${last}`,
      `${signed}~${one}~${two}`,
      `${signed}~${one}~${two}~`,
      `${signed}~${String(forged.split('~')[1])}~${String(forged.split('~')[2])}`,
      `${String(other[0])}~${one}~${two}~${last}`,
      `${signed}~${String(other[1])}`,
      `${one}~${two}~${last}`,
    ])
      await expect(verify(wrong), wrong).rejects.toEqual(unauthorized)
    expect(await verify(least)).toMatchObject({ operations: ['read'], runs: ['ana.1'] })
  })

  it('is refused with any of its characters changed', async () => {
    const token = await mintToken(key, grant, { now })
    for (let at = 0; at < token.length; at += 7) {
      const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'Q' : 'A'}${token.slice(at + 1)}`
      await expect(verify(changed), String(at)).rejects.toEqual(unauthorized)
    }
  })

  it('is refused when another key signed it, whatever it says of the key, and when it is for another service', async () => {
    const other = await newAccessKey('first', alg)
    await expect(verify(await mintToken(other.key, grant, { now }))).rejects.toEqual(unauthorized)
    const unknown = await newAccessKey('second', alg)
    await expect(verify(await mintToken(unknown.key, grant, { now }))).rejects.toEqual(unauthorized)
    const claims = { tenant: 'acme', runs: ['*'], ops: ['read'], iat: now / 1_000, exp: now / 1_000 + 60 }
    const header = { alg, kid: 'first' }
    const sign = async (payload: object) =>
      new SignJWT({ ...payload }).setProtectedHeader(header).sign(await importJWK(key, alg))
    await expect(verify(await sign({ ...claims, aud: 'another' }))).rejects.toEqual(unauthorized)
    await expect(verify(await sign({ ...claims, aud: 'waystone', exp: undefined }))).rejects.toEqual(
      unauthorized,
    )
    await expect(verify(await sign({ ...claims, aud: 'waystone', tenant: 'a/b' }))).rejects.toEqual(
      unauthorized,
    )
    // Any library for JSON Web Tokens mints one: without a key for its holder it cannot be narrowed.
    const plain = await sign({ ...claims, aud: 'waystone' })
    expect(await verify(plain)).toMatchObject({ tenant: 'acme', operations: ['read'] })
    await expect(narrowToken(plain, {})).rejects.toMatchObject({ code: 'input_refused' })
  })

  it('stays valid while its key is being replaced, and no longer', async () => {
    const next = await newAccessKey('next', alg)
    const old = await mintToken(key, grant, { now })
    const fresh = await mintToken(next.key, grant, { now })
    const during = parseAccessKeys(JSON.stringify({ keys: [next.publicKey, publicKey] }))
    for (const token of [old, fresh]) expect(await verifyToken(during, token, { now })).toMatchObject(grant)
    const after = parseAccessKeys(JSON.stringify([next.publicKey]))
    await expect(verifyToken(after, old, { now })).rejects.toEqual(unauthorized)
  })
})

it('a token says nothing that was signed by an algorithm that its key does not have', async () => {
  const { publicKey } = await newAccessKey('first', 'EdDSA')
  const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const at = Math.floor(now / 1_000)
  const claims = { aud: 'waystone', tenant: 'a', runs: ['*'], ops: ['read'], iat: at, exp: at + 60 }
  const none = `${base64({ alg: 'none', kid: 'first' })}.${base64(claims)}.`
  const secret = new TextEncoder().encode(publicKey.x)
  const confused = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret)
  for (const token of [none, confused, '', '~', 'a.b.c', 'x'.repeat(10_000)])
    await expect(verifyToken([publicKey], token, { now })).rejects.toMatchObject({ code: 'unauthorized' })
})

it.each([
  '',
  '[]',
  '{}',
  '{"keys":[]}',
  '[{"kid":"a","alg":"HS256","kty":"oct","k":"short"}]',
  '[{"alg":"none"}]',
])('keys are refused that are none: %s', (text) => {
  expect(() => parseAccessKeys(text)).toThrow(expect.objectContaining({ code: 'input_refused' }))
})
