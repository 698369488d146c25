import { parseDigest } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { isTakenUnasked, linkToRun, parseAddress } from './address.ts'

const site = 'https://runs.example.com'
const seen = { seq: 7, digest: parseDigest('0'.repeat(64)) }

describe('linkToRun()', () => {
  it('makes a link that another device reads the same, whatever is in its token', () => {
    for (const token of ['plain', 'a+b', 'a b', 'a&run=other', 'a#b', '50%', '%41', 'a=b==', 'ü'])
      expect(parseAddress(new URL(linkToRun(site, 'ana~1.trip', seen, token)).hash)).toEqual({
        run: 'ana~1.trip',
        seen: `7:${seen.digest}`,
        token,
      })
  })

  it('says nothing of what was seen at the edge when nothing was', () => {
    const link = linkToRun(site, 'ana', undefined, 'plain')
    expect(link).toBe(`${site}/#run=ana&token=plain`)
    expect(parseAddress(new URL(link).hash).seen).toBeUndefined()
  })
})

describe('parseAddress()', () => {
  it('reads what is there, and nothing from an address without it', () => {
    expect(parseAddress('#token=plain')).toEqual({ run: undefined, seen: undefined, token: 'plain' })
    expect(parseAddress('')).toEqual({ run: undefined, seen: undefined, token: undefined })
  })
})

describe('isTakenUnasked()', () => {
  it('is true where a token changes nothing, or where nothing is that it could send away', () => {
    expect(isTakenUnasked('one', { token: undefined, hasRuns: false })).toBe(true)
    expect(isTakenUnasked('one', { token: 'one', hasRuns: true })).toBe(true)
  })

  it('is false where another token is in use, or runs are that no token was used for', () => {
    expect(isTakenUnasked('one', { token: 'another', hasRuns: false })).toBe(false)
    expect(isTakenUnasked('one', { token: undefined, hasRuns: true })).toBe(false)
  })
})
