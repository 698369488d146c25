import { describe, expect, it } from 'vitest'
import { applyDelta } from './apply.ts'
import { decodeValue, encodeValue, type Value } from './codec.ts'
import { diff } from './diff.ts'
import { sameValue } from './equal.ts'
import { parseDelta, type Delta } from './ops.ts'
import { proven, provenDiff } from './proven-diff.ts'

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
  it.each<[string, Delta]>([
    ['comes to another value', [['set', ['kept'], 2]]],
    ['cannot be applied', [['del', ['nothing']]]],
  ])('is the whole value instead: one that %s', (_, delta) => {
    const [base, next] = [{ kept: 1 }, { kept: 3 }] as unknown as [Value, Value]
    const whole = proven(base, delta, next)
    expect(whole).toEqual([['set', [], { kept: 3 }]])
    expect(applyDelta(base, stored(whole))).toEqual(next)
    const right: Delta = [['set', ['kept'], 3]]
    expect(proven(base, right, next)).toBe(right)
  })
})
