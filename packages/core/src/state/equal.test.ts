import { describe, expect, it } from 'vitest'
import { sameValue } from './equal.ts'

describe('sameValue()', () => {
  it.each<[string, unknown, unknown]>([
    ['NaN and NaN', [NaN], [NaN]],
    ['dates of one time', new Date(1), new Date(1)],
    ['invalid dates', new Date(NaN), new Date(NaN)],
    ['the same bytes', new Uint8Array([1]), new Uint8Array([1])],
    ['the same entries', new Map([[{ a: 1 }, [2]]]), new Map([[{ a: 1 }, [2]]])],
    ['an object with and one without a prototype', {}, Object.create(null)],
  ])('is true of %s', (_, a, b) => {
    expect(sameValue(a, b)).toBe(true)
  })

  it.each<[string, unknown, unknown]>([
    ['0 and -0', 0, -0],
    ['properties in another order', { a: 1, b: 2 }, { b: 2, a: 1 }],
    ['an undefined property and none', { a: undefined }, {}],
    ['an own property and an inherited one', { toString: Object.prototype.toString }, { x: 1 }],
    [
      'entries in another order',
      new Map([
        [1, 1],
        [2, 2],
      ]),
      new Map([
        [2, 2],
        [1, 1],
      ]),
    ],
    ['items in another order', new Set([1, 2]), new Set([2, 1])],
    ['a list and an object', [], {}],
    ['a Map and a Set', new Map(), new Set()],
    ['null and an object', null, {}],
    ['a text and a number', '1', 1],
  ])('is false of %s', (_, a, b) => {
    expect(sameValue(a, b)).toBe(false)
  })
})
