import { expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { bearerOf } from './bearer.ts'

it('a token that cannot be had is a network that is not there, unless it says otherwise', async () => {
  expect(await bearerOf(undefined)).toBeUndefined()
  expect(await bearerOf(async () => 'x')).toBe('x')
  const cause = new TypeError('Failed to fetch')
  await expect(bearerOf(() => Promise.reject(cause))).rejects.toMatchObject({ code: 'unreachable', cause })
  const coded = new WaystoneError('unauthorized', 'nobody is signed in')
  await expect(bearerOf(() => Promise.reject(coded))).rejects.toBe(coded)
})
