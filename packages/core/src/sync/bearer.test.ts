import { expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { bearerOf } from './bearer.ts'

it('a token that cannot be had is a network that is not there, unless it says otherwise', async () => {
  const { signal } = new AbortController()
  expect(await bearerOf(undefined, signal)).toBeUndefined()
  expect(await bearerOf(async () => 'x', signal)).toBe('x')
  const cause = new TypeError('Failed to fetch')
  await expect(bearerOf(() => Promise.reject(cause), signal)).rejects.toMatchObject({
    code: 'unreachable',
    cause,
  })
  const coded = new WaystoneError('unauthorized', 'nobody is signed in')
  await expect(bearerOf(() => Promise.reject(coded), signal)).rejects.toBe(coded)
})

it('a token that never settles is a network that is not there, once its time is over', async () => {
  const time = new AbortController()
  const bearer = bearerOf(() => new Promise(() => undefined), time.signal)
  time.abort()
  await expect(bearer).rejects.toMatchObject({ code: 'unreachable', actions: ['retry'] })
  await expect(bearerOf(() => new Promise(() => undefined), time.signal)).rejects.toMatchObject({
    code: 'unreachable',
  })
})
