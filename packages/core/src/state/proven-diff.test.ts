import { describe, expect, it } from 'vitest'
import { applyDelta } from './apply.ts'
import { decodeValue, encodeValue, type Value } from './codec.ts'
import { diff } from './diff.ts'
import { sameValue } from './equal.ts'
import { parseDelta, type Delta } from './ops.ts'
import { provenDiff } from './proven-diff.ts'

const heavy = (): Value => ({ text: 'x'.repeat(100), n: 1 }) as unknown as Value
const stored = (delta: Delta): Delta => parseDelta(JSON.parse(JSON.stringify(delta)))

describe('equal members that came from one place', () => {
  it.each<[string, unknown, unknown]>([
    ['items of a Set', { a: heavy(), set: new Set() }, { set: new Set([heavy(), heavy()]) }],
    [
      'keys of a Map',
      { a: heavy(), map: new Map() },
      {
        map: new Map([
          [heavy(), 1],
          [heavy(), 2],
        ]),
      },
    ],
    ['a Set in a list', { a: heavy() }, { list: [new Set([heavy(), heavy()])] }],
    ['a Set that moves', { set: new Set([heavy()]) }, { set: [new Set([heavy(), heavy()])] }],
    [
      'a Set that has one',
      { set: new Set([heavy(), 1, 2, 3]) },
      { set: new Set([1, heavy(), 2, heavy(), 3]) },
    ],
    ['Dates of a Set', { a: [new Date(1)], set: new Set() }, { set: new Set([new Date(1), new Date(1)]) }],
  ])('are two: %s', (_, base, next) => {
    const [from, to] = [base, next] as [Value, Value]
    expect(sameValue(applyDelta(from, stored(diff(from, to))), to)).toBe(true)
    expect(sameValue(applyDelta(from, stored(provenDiff(from, to))), to)).toBe(true)
    expect(sameValue(decodeValue(encodeValue(to)), to)).toBe(true)
  })
})

describe('a delta that does not come to what it was made for', () => {
  it('is the whole value instead', () => {
    // A state that another realm has changed under the hands of the diff: it is equal to nothing, not even to itself.
    const odd = Object.defineProperty({ kept: 1 }, 'late', { enumerable: true, get: () => Math.random() })
    const delta = provenDiff({ kept: 1 } as unknown as Value, { held: odd } as unknown as Value)
    expect(delta).toEqual([['set', [], { held: { kept: 1, late: expect.any(Number) as number } }]])
  })
})
