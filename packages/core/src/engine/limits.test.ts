import { describe, expect, it } from 'vitest'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import { handleOf, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done } from './agent.ts'
import type { Ctx } from './ctx.ts'
import { pausedBy } from './paused-by.test-support.ts'

const worker = defineAgent({
  name: 'worker',
  version: 1,
  initial: () => ({}),
  turn: async () => done(),
})

it('a turn has a bounded number of calls', async () => {
  const pause = await pausedBy(async (ctx) => {
    for (let call = 0; call < limits.turnRecordsMax; call += 1)
      ctx.sleep(`nap-${String(call)}`, '1h').catch(() => undefined)
    await ctx.sleep('one more', '1h')
  })
  expect(pause?.error).toMatchObject({ code: 'limit_exceeded' })
  expect(pause?.error.message).toContain(String(limits.turnRecordsMax))
})

it('a turn is shown as long from its thousandth call on', async () => {
  const agent = defineAgent({
    name: 'long',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      for (let call = 2; call < limits.turnRecordsLong; call += 1) await ctx.label(`call ${String(call)}`)
      await ctx.ask('short', { question: 'One more?' })
      await ctx.ask('long', { question: 'Another one?' })
      return done()
    },
  })
  const runtime = await testDevice([agent]).open()
  const run = await handleOf(runtime, await runtime.start('long', null))
  const short = await run.until(({ live }) => live.calls.some(({ path }) => path === '0/short'))
  expect(short.live.long).toBeUndefined()
  const asked = await run.until(({ asks }) => asks.length > 0)
  await run.answer(asked.asks[0]?.ask as Digest, true)
  const long = await run.until(({ live }) => live.calls.some(({ path }) => path === '0/long'))
  expect(long.live.long).toEqual({ calls: limits.turnRecordsLong, max: limits.turnRecordsMax })
  await runtime.close()
})

it('a map has a bounded number of items', async () => {
  const items = Array.from({ length: limits.mapItemsMax + 1 }, (_, at) => at)
  const pause = await pausedBy((ctx) => ctx.map('all', items, { key: String }, () => Promise.resolve(1)))
  expect(pause?.error).toMatchObject({ code: 'limit_exceeded' })
  expect(pause?.error.message).toContain(String(limits.mapItemsMax))
})

describe.each([NaN, 0, -1, 1.5])('a count of %d', (count) => {
  const step = () => 1
  const counts = {
    'items of a map at a time': (ctx) =>
      ctx.map('m', [1, 2], { key: String, concurrency: count }, async (c) => c.step('s', step)),
    'attempts at a step': (ctx) => ctx.step('s', { attempts: count }, step),
    'attempts at a stream': (ctx) => ctx.stream('s', { attempts: count }, step),
    'attempts at an artifact': (ctx) => ctx.artifact('a', 'text', { attempts: count }),
    'failures that open a breaker': (ctx) =>
      ctx.step('s', { breaker: { name: 'desk', failures: count } }, step),
    'attempts at a child': (ctx) => ctx.spawn('c', worker, null, { attempts: count }),
  } satisfies Readonly<Record<string, (ctx: Ctx) => Promise<unknown>>>

  it.each(Object.entries<(ctx: Ctx) => Promise<unknown>>(counts))('%s is refused', async (_, call) => {
    const pause = await pausedBy(call)
    expect(pause?.error.code).toBe('input_refused')
    expect(pause?.error.message).toContain(`found ${String(count)}`)
  })
})

it('a map may work on all of its items at a time, also when it has none', async () => {
  const agent = defineAgent({
    name: 'mapper',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const each = (c: Pick<Ctx, 'step'>, item: number) => c.step('double', () => 2 * item)
      const all = await ctx.map('all', [1, 2, 3], { key: String, concurrency: Infinity }, each)
      const none: number[] = []
      return done([all, await ctx.map('none', none, { key: String, concurrency: none.length }, each)])
    },
  })
  const runtime = await testDevice([agent]).open()
  const run = await handleOf(runtime, await runtime.start('mapper', null))
  const { result, error } = await run.until(({ status }) => status === 'done' || status === 'paused')
  expect(error).toBeUndefined()
  expect(result).toEqual([[2, 4, 6], []])
  await runtime.close()
})

it('a stream has a bounded length', async () => {
  const pause = await pausedBy((ctx) =>
    ctx.stream('speech', { attempts: 1 }, ({ out }) => out.write('x'.repeat(limits.streamCharsMax + 1))),
  )
  expect(pause?.error).toMatchObject({ code: 'limit_exceeded', path: '0/speech' })
})
