import { parseRunId } from '@waystone/core'
import { expect, it } from 'vitest'
import { linkToken, parseLink } from './link.ts'

const link = {
  tenant: 'acme',
  run: parseRunId('ana.trip'),
  secret: '0123456789abcdefghjkmnpqrstvwxyz01234567',
}

it('parseLink() is the inverse of linkToken()', () => {
  expect(parseLink(linkToken(link))).toEqual(link)
  expect(parseLink('eyJhbGciOi')).toBeUndefined()
})

it.each([
  'link/',
  'link/acme/ana.trip',
  'link/acme/ana.trip/',
  `link/acme/ana.trip/${'0'.repeat(39)}`,
  `link/acme/ana.trip/${'0'.repeat(39)}u`,
  `link/acme/ana.trip/${'0'.repeat(40)}/0`,
  `link//ana.trip/${'0'.repeat(40)}`,
  `link/acme/ana%2ftrip/${'0'.repeat(40)}`,
])('parseLink() refuses %s', (token) => {
  expect(() => parseLink(token)).toThrow(expect.objectContaining({ code: 'input_refused' }))
})
