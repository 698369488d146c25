import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../limits.ts'
import {
  adaptiveIntervalMs,
  meanTimeBetweenFailures,
  newPace,
  withFailure,
  withPush,
  type Pace,
} from './pace.ts'

const { syncIntervalMsMin: min, syncIntervalMsMax: max } = limits
const hour = 3_600_000
const day = 24 * hour

/** Any pace that pushes and failures lead to, and a time to ask at. */
const paces = fc
  .record({
    since: fc.integer({ min: 0, max: 2 ** 42 }),
    pushes: fc.array(fc.integer({ min: -day, max: day }), { maxLength: 30 }),
    failures: fc.integer({ min: 0, max: 1_000 }),
    after: fc.integer({ min: -day, max: 30 * day }),
  })
  .map(({ since, pushes, failures, after }) => ({
    pace: pushes.reduce<Pace>((pace, ms) => withPush(pace, ms), newPace(since, failures)),
    now: since + after,
  }))

describe('meanTimeBetweenFailures()', () => {
  it.each([
    ['an hour, before anything was seen', 0, 0, hour],
    ['longer, the longer nothing fails', 9 * hour, 0, 10 * hour],
    ['the time by the failures', 9 * hour, 4, 2 * hour],
  ])('is %s', (_, after, failures, expected) => {
    expect(meanTimeBetweenFailures(newPace(0, failures), after)).toBe(expected)
  })
})

describe('withPush()', () => {
  it('makes an average in which the newest counts a fifth', () => {
    expect(withPush(newPace(0), 100).costMs).toBe(100)
    expect(withPush(withPush(newPace(0), 100), 200).costMs).toBe(120)
  })

  it('comes to what pushes take now, whatever they took before', () => {
    const slow = withPush(newPace(0), 20_000)
    const now = Array.from({ length: 60 }).reduce<Pace>((pace) => withPush(pace, 50), slow)
    expect(now.costMs).toBeCloseTo(50, 0)
  })
})

describe('adaptiveIntervalMs()', () => {
  it('is the square root of twice the cost times the mean time between failures', () => {
    expect(adaptiveIntervalMs(withPush(newPace(0), 50), 0)).toBe(Math.round(Math.sqrt(2 * 50 * hour)))
  })

  it('is always a whole number within its limits, also when clocks jump', () => {
    fc.assert(
      fc.property(paces, ({ pace, now }) => {
        const ms = adaptiveIntervalMs(pace, now)
        expect(Number.isInteger(ms) && ms >= min && ms <= max).toBe(true)
      }),
    )
  })

  it('never grows with a failure, and never shrinks while nothing fails or when pushes cost more', () => {
    fc.assert(
      fc.property(paces, fc.nat(30 * day), ({ pace, now }, later) => {
        const ms = adaptiveIntervalMs(pace, now)
        expect(adaptiveIntervalMs(withFailure(pace), now)).toBeLessThanOrEqual(ms)
        expect(adaptiveIntervalMs(pace, now + later)).toBeGreaterThanOrEqual(ms)
        expect(adaptiveIntervalMs(withPush(pace, max), now)).toBeGreaterThanOrEqual(ms)
      }),
    )
  })

  it('costs less than half and twice of it: pushing and what is lost on average together', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 40 }), (cost, failures) => {
        const pace = withPush(newPace(0, failures), cost)
        const mean = meanTimeBetweenFailures(pace, 0)
        const ms = adaptiveIntervalMs(pace, 0)
        fc.pre(ms > min && ms < max)
        const price = (interval: number): number => cost / interval + interval / (2 * mean)
        expect(price(ms)).toBeLessThan(price(ms / 2))
        expect(price(ms)).toBeLessThan(price(ms * 2))
      }),
    )
  })
})
