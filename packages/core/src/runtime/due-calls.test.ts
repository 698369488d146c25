import { expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import type { Ctx } from '../engine/ctx.ts'
import { me, run, start } from '../log/log.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Clock } from '../ports/clock.ts'
import type { Budget } from '../ports/inbox.ts'
import { testClock } from './memory-world.test-support.ts'
import { portsOf } from './run-host.test-support.ts'
import { RunHost, type HostPorts } from './run-host.ts'

/** A clock that stands still, but for what a test lets pass. It counts the tasks that it is asked for. */
function standingClock() {
  let now = 1_000_000
  let tasks = 0
  const waits = new Set<{ readonly until: number; readonly resolve: () => void }>()
  const clock: Clock = {
    now: () => now,
    task: () => {
      tasks += 1
      return testClock.task()
    },
    wait: (ms, signal) =>
      new Promise((resolve) => {
        const wait = { until: now + ms, resolve }
        waits.add(wait)
        signal?.addEventListener('abort', () => {
          waits.delete(wait)
          resolve()
        })
      }),
  }
  const pass = (ms: number): void => {
    now += ms
    for (const wait of [...waits].filter(({ until }) => until <= now)) {
      waits.delete(wait)
      wait.resolve()
    }
  }
  return { clock, pass, tasks: () => tasks }
}

/** Lets everybody do what there is to do now. */
async function settled(): Promise<void> {
  for (let task = 0; task < 100; task += 1) await testClock.task()
}

/** A run of one turn on a host whose time stands still. In the turn `work` is what nobody can stop until `finish` is called. */
async function hosted(
  turn: (ctx: Ctx, work: () => Promise<void>) => Promise<unknown>,
  { budget, ...ports }: Partial<HostPorts> & { readonly budget?: Budget } = {},
) {
  const working = Promise.withResolvers<void>()
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await turn(ctx as Ctx, () => working.promise)),
  })
  const { clock, pass, tasks } = standingClock()
  const storage = memoryStorage()
  const log = await RunLog.open(run, { ...storage, now: () => clock.now() })
  const first = start({})
  await log.append(me, () => [{ ...first, body: { ...first.body, ...(budget ? { budget } : {}) } }])
  const host = new RunHost(log, { ...portsOf(storage, () => agent), clock, ...ports })
  const ended = host.run()
  await settled()
  return {
    host,
    log,
    ended,
    finish: working.resolve,
    /** How many tasks the host asks for in what are a hundred of others, once so much time has passed. */
    tasksAfter: async (ms: number): Promise<number> => {
      pass(ms)
      const before = tasks()
      await settled()
      return tasks() - before
    },
  }
}

/** More than a host asks for when a call's time has come, and less than one that asks again and again. */
const tasksMax = 30

it('a timer whose time comes while its host holds waits without keeping the host at work', async () => {
  const { host, log, ended, finish, tasksAfter } = await hosted((ctx, work) =>
    ctx.all('both', { timer: (c) => c.sleep('nap', 3_000), work: (c) => c.step('work', work) }),
  )
  const still = host.hold(60_000)
  expect(await tasksAfter(3_000)).toBeLessThan(tasksMax)
  finish()
  await still
  host.release()
  expect(await ended).toEqual({ type: 'ended' })
  expect(log.mustFold().status).toBe('done')
})

it('a timer of a branch that has lost a race waits without keeping the host at work', async () => {
  const quick = Promise.withResolvers<void>()
  const { host, ended, finish, tasksAfter } = await hosted((ctx, work) =>
    ctx.race('first', {
      quick: (c) => c.step('get', () => quick.promise),
      slow: (c) => c.all('both', { timer: (d) => d.sleep('nap', 3_000), work: (d) => d.step('work', work) }),
    }),
  )
  quick.resolve()
  await settled()
  expect(host.live().calls.map(({ path }) => path)).toContain('0/first')
  expect(await tasksAfter(3_000)).toBeLessThan(tasksMax)
  finish()
  expect(await ended).toEqual({ type: 'ended' })
})

/** Opens the breaker that is named here, for 3 s. */
const breaker = { name: 'desk', failures: 1, cooldown: 3_000 }
const fail = (ctx: Ctx): Promise<unknown> =>
  ctx
    .step('fails', { attempts: 1, breaker }, () => Promise.reject(new Error('the desk is closed')))
    .catch(() => undefined)

it('a step that may be tried again, and that the budget does not allow any more, waits without keeping the host at work', async () => {
  const { host, log, ended, finish, tasksAfter } = await hosted(
    async (ctx, work) => {
      await fail(ctx)
      return ctx.all('all', {
        again: (c) => c.step('again', { breaker }, () => undefined),
        costly: (c) => c.step('costly', ({ cost }) => cost(10)),
        work: (c) => c.step('work', work),
      })
    },
    { budget: { cost: 5 } },
  )
  expect(host.live().calls.map(({ path }) => path)).toEqual(['0/all/again/again', '0/all/work/work'])
  expect(await tasksAfter(3_000)).toBeLessThan(tasksMax)
  finish()
  await settled()
  expect(log.mustFold().pause?.reason).toBe('budget')
  host.stop()
  await ended
})

it('a step that may be tried again waits for who writes the run without keeping the host at work', async () => {
  const looked = Promise.withResolvers<void>()
  let looks = 0
  const { log, ended, tasksAfter } = await hosted(
    async (ctx) => {
      await fail(ctx)
      await ctx.step('again', { breaker }, () => undefined)
    },
    {
      slept: () => {
        looks += 1
        return looked.promise
      },
    },
  )
  expect(await tasksAfter(5_000)).toBeLessThan(tasksMax)
  expect(looks).toBe(1)
  looked.resolve()
  expect(await ended).toEqual({ type: 'ended' })
  expect(log.mustFold().status).toBe('done')
})
