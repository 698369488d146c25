import { describe, expect, it } from 'vitest'
import { matchOf } from './match.ts'

describe('matchOf()', () => {
  it.each([
    ['tide', '"tide"'],
    ['  low   water ', '"low" AND "water"'],
    ['"low water" harb*', '"low water" AND "harb"*'],
    ['"low wat', '"low wat"'],
    [
      'a AND (b OR c) NEAR text:d -e ^f',
      '"a" AND "AND" AND "b" AND "OR" AND "c" AND "NEAR" AND "text d" AND "e" AND "f"',
    ],
    ["it's", '"it s"'],
    ['日本 Übung', '"日本" AND "Übung"'],
  ])('makes words of %s', (query, match) => {
    expect(matchOf(query)).toBe(match)
  })

  it.each(['', ' ', '"', '""', '*', '---', '\u0000', 'a'.repeat(201), 'a '.repeat(30)])(
    'refuses %j',
    (query) => {
      expect(() => matchOf(query)).toThrow(expect.objectContaining({ code: 'request_refused' }))
    },
  )
})
