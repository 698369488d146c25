import { describe, expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Live } from '../ports/watch.ts'
import { testClock } from './memory-world.test-support.ts'
import { portsOf, started } from './run-host.test-support.ts'
import { RunHost } from './run-host.ts'

/** A clock on which a turn's patience, and then what is left until it is paused, are over when the test says so. */
function patientClock(): { readonly clock: Clock; over(): Promise<void>; final(): Promise<void> } {
  const patience = [Promise.withResolvers<void>()]
  const rest = [Promise.withResolvers<void>()]
  const next = async (waits: PromiseWithResolvers<void>[]): Promise<void> => {
    const last = waits.at(-1)
    waits.push(Promise.withResolvers())
    last?.resolve()
    for (let task = 0; task < 20; task += 1) await testClock.task()
  }
  return {
    clock: {
      ...testClock,
      wait(ms, signal) {
        if (ms === limits.patienceMs) return patience.at(-1)?.promise ?? Promise.resolve()
        if (ms === limits.standingMsMax - limits.patienceMs) return rest.at(-1)?.promise ?? Promise.resolve()
        return testClock.wait(ms, signal)
      },
    },
    over: () => next(patience),
    final: () => next(rest),
  }
}

describe('a turn that waits for something outside of ctx', () => {
  it('is shown as standing still, until it makes a call or says that it is at work, and paused in the end', async () => {
    const outside = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const agent = defineAgent({
      name: 'a',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await outside[0]?.promise
        ctx.progress()
        await outside[1]?.promise
        await ctx.step('called', () => 1)
        await new Promise(() => undefined)
        return done()
      },
    })
    const { storage, log } = await started()
    const { clock, over, final } = patientClock()
    const host = new RunHost(log, { ...portsOf(storage, () => agent), clock })
    const ended = host.run({ letGo: true })
    const standing = (): Live['standing'] => host.live().standing
    for (let task = 0; task < 20; task += 1) await testClock.task()
    expect(standing()).toBeUndefined()
    for (const { resolve } of outside) {
      await over()
      expect(standing()?.found).toBe('no call: the turn waits for something outside ctx')
      resolve()
      for (let task = 0; task < 20; task += 1) await testClock.task()
      expect(standing()).toBeUndefined()
    }
    await over()
    expect(standing()).toBeDefined()
    await final()
    expect(await ended).toMatchObject({ type: 'waiting', waits: [] })
    expect(log.mustFold().pause?.error.code).toBe('waits_outside')
  })
})
