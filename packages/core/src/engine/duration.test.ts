import { describe, expect, it } from 'vitest'
import { durationMs, type Duration } from './duration.ts'

describe('a duration', () => {
  it.each<[Duration, number]>([
    [1.4, 1],
    ['0.5s', 500],
    ['2h', 7_200_000],
    ['3652500d', 315_576_000_000_000],
  ])('%s is so many milliseconds', (duration, ms) => {
    expect(durationMs(duration)).toBe(ms)
  })

  it.each([-1, Number.NaN, Infinity, '1y', 's', '3652501d'])('%s is none', (duration) => {
    expect(() => durationMs(duration as Duration)).toThrow(expect.objectContaining({ code: 'input_refused' }))
  })
})
