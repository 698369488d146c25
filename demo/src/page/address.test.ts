import { parseDigest } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { linkToRun, parseAddress } from './address.ts'

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
