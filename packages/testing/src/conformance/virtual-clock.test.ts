import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../agent/virtual-clock.ts'
import { runCases } from './case.ts'
import { clockCases } from './clock-cases.ts'

describe('the clock of tests', () => {
  // Its time stands while tasks pass.
  it.for(clockCases.map(({ name }) => name))('%s', async (name) => {
    const clock = new VirtualClock(1_700_000_000_000, () => undefined)
    const pass = async (ms: number): Promise<void> => {
      const to = clock.now() + ms
      for (let next = clock.next; next !== undefined && next <= to; next = clock.next) {
        clock.jump(next)
        await clock.task()
      }
      clock.jump(to)
    }
    const cases = clockCases.filter((one) => one.name === name)
    expect(await runCases(cases, async () => ({ clock, pass }))).toEqual([{ name, ok: true }])
  })
})
