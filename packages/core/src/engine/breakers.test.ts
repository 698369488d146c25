import { describe, expect, it } from 'vitest'
import { handleOf, hastyClock, testDevice } from '../runtime/memory-world.test-support.ts'
import type { Clock } from '../ports/clock.ts'
import { defineAgent, done } from './agent.ts'
import { Breakers } from './breakers.ts'

function clockAt(time: { now: number }): Clock {
  return { ...hastyClock, now: () => time.now }
}

describe('Breakers', () => {
  const breaker = { name: 'llm', failures: 2, cooldown: '10s' } as const

  it('opens after so many failures in a row, and lets one try pass when the cooldown is over', () => {
    const time = { now: 1_000 }
    const breakers = new Breakers(clockAt(time))
    breakers.ended(breaker, false)
    expect(breakers.pass(breaker)).toBeUndefined()
    breakers.ended(breaker, false)
    expect(breakers.pass(breaker)).toBe(11_000)
    time.now = 11_000
    expect(breakers.pass(breaker)).toBeUndefined()
    expect(breakers.pass(breaker)).toBeGreaterThan(11_000)
  })

  it('closes with a success, opens again with a failure, and forgets a try that was given up', () => {
    const time = { now: 0 }
    const breakers = new Breakers(clockAt(time))
    const open = (): void => [1, 2].forEach(() => breakers.ended(breaker, false))
    open()
    time.now = 10_000
    expect(breakers.pass(breaker)).toBeUndefined()
    breakers.ended(breaker, undefined)
    expect(breakers.pass(breaker)).toBeUndefined()
    breakers.ended(breaker, false)
    expect(breakers.pass(breaker)).toBe(20_000)
    time.now = 20_000
    expect(breakers.pass(breaker)).toBeUndefined()
    breakers.ended(breaker, true)
    expect(breakers.pass(breaker)).toBeUndefined()
    expect(breakers.pass(breaker)).toBeUndefined()
  })

  it('a failure elsewhere in a row ends with a success', () => {
    const breakers = new Breakers(clockAt({ now: 0 }))
    breakers.ended(breaker, false)
    breakers.ended(breaker, true)
    breakers.ended(breaker, false)
    expect(breakers.pass(breaker)).toBeUndefined()
  })
})

describe('a step with a breaker', () => {
  it('waits while it is open, shared by every run that names it, and uses no attempt meanwhile', async () => {
    let down = true
    const tries: string[] = []
    const agent = defineAgent({
      name: 'caller',
      version: 1,
      initial: (input: { name: string }) => input,
      async turn(ctx, state) {
        const { name } = ctx.current(state)
        const breaker = { name: 'api', failures: 3, cooldown: 200 }
        return done(
          await ctx.step('call', { attempts: 6, backoff: 1, breaker }, () => {
            tries.push(name)
            if (down) throw new Error('down')
            return 'up'
          }),
        )
      },
    })
    const runtime = await testDevice([agent]).open()
    const one = await handleOf(runtime, await runtime.start('caller', { name: 'one' }, {}))
    await one.until(({ live }) => live.calls.some(({ waits }) => waits?.for === 'time'))
    const two = await handleOf(runtime, await runtime.start('caller', { name: 'two' }, {}))
    await two.until(({ live }) => live.calls.some(({ waits }) => waits?.for === 'time'))
    expect(tries).toEqual(['one', 'one', 'one'])
    down = false
    expect([await one.result(), await two.result()]).toEqual(['up', 'up'])
    expect(tries).toHaveLength(5)
    await runtime.close()
  })
})

describe('retries', () => {
  it('stop at an error that the step says cannot be mended, and wait no longer than their longest pause', async () => {
    let tries = 0
    const agent = defineAgent({
      name: 'retrier',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const retryIf = (error: unknown): boolean => (error as Error).message !== 'gone'
        const options = { attempts: 20, backoff: 1, backoffMax: 2, retryIf }
        return done(
          await ctx
            .step('call', options, () => {
              tries += 1
              throw new Error(tries < 12 ? 'busy' : 'gone')
            })
            .catch((error: unknown) => (error as Error).message),
        )
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('retrier', null, {}))
    expect(await run.result()).toBe('gone')
    expect(tries).toBe(12)
    await runtime.close()
  })
})
