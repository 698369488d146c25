import { toBase64 } from '@waystone/core'
import { newKeyPair, publicKeyOf, newKeyring, rotate } from '@waystone/encryption'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { alone, refusalOf } from '../harness/unread-body.ts'
import { startSecurityWorld, type SecurityWorld } from './security-world.ts'

let world: SecurityWorld
beforeAll(async () => {
  world = await startSecurityWorld({ LENDING: 'a lending secret of the tests, long enough' })
})
afterAll(() => world.close())

it('the edge keeps a keyring for each person, in the order of its versions', async () => {
  const [ana, bob] = [await world.token(), await world.token({ subject: 'bob' })]
  const elsewhere = await world.token({ tenant: 'globex' })
  const device = { id: 'laptop', pair: await newKeyPair() }
  const first = await newKeyring(device)
  const second = await rotate(first, device)
  const put = (keyring: unknown, token: string, headers: Record<string, string> = {}) =>
    world.ask('/v1/keyring', token, { method: 'PUT', body: JSON.stringify({ keyring }), headers })
  const get = async (token: string): Promise<unknown> => {
    const { text } = await world.ask('/v1/keyring', token)
    return (JSON.parse(text) as { keyring: unknown }).keyring
  }
  expect(await get(ana)).toBeNull()
  expect((await put(first, ana)).status).toBe(204)
  expect(await get(ana)).toEqual(first)
  expect([await get(bob), await get(elsewhere)]).toEqual([null, null])
  expect((await put(first, ana)).code).toBe('head_moved')
  expect((await put({ ...second, version: 9 }, ana)).code).toBe('head_moved')
  expect((await put(second, ana)).status).toBe(204)
  for (const none of [null, {}, { version: 0 }, { version: 'x' }, [], 'x'])
    expect((await put(none, ana)).code).toBe('request_refused')
  const large = { version: 3, filler: 'x'.repeat(300_000) }
  expect(await refusalOf(put(large, ana, alone))).toBe('too_large')
  expect(await get(ana)).toEqual(second)
  expect(await get(await world.token({ runs: ['ana.*'] }))).toEqual(second)
  for (const runs of [['ana.trip'], ['bob.*'], ['ana.t*']])
    expect((await world.ask('/v1/keyring', await world.token({ runs }))).code).toBe('forbidden')
})

it('a keyring can be followed by the next version, wherever the first one began', async () => {
  const token = await world.token({ subject: 'eve' })
  const put = (version: number) =>
    world.ask('/v1/keyring', token, { method: 'PUT', body: JSON.stringify({ keyring: { version } }) })
  const furthest = 2 ** 31
  for (const tooFar of [furthest + 1, Number.MAX_SAFE_INTEGER, 2 ** 53])
    expect((await put(tooFar)).code).toBe('request_refused')
  expect((await put(furthest)).status).toBe(204)
  expect((await put(Number.MAX_SAFE_INTEGER)).code).toBe('head_moved')
  for (const next of [furthest + 1, furthest + 2]) expect((await put(next)).status).toBe(204)
})

it('the key that is lent to is the same for all, and a point of P-256', async () => {
  const answers = await Promise.all([
    world.ask('/v1/runs/ana.one/lending-key', await world.token()),
    world.ask('/v1/runs/another/lending-key', await world.token({ tenant: 'globex' })),
  ])
  const [one, other] = answers.map(({ text }) => (JSON.parse(text) as { key: string }).key)
  expect(one).toBe(other)
  expect(one).toHaveLength(toBase64(await publicKeyOf(await newKeyPair())).length)
})
