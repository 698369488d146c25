import { expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { handleOf, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done } from './agent.ts'
import type { Ctx } from './ctx.ts'

/** The error that a run is paused with whose turn does this. */
async function pausedBy(turn: (ctx: Ctx) => Promise<unknown>) {
  const agent = defineAgent({
    name: 'greedy',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await turn(ctx as Ctx)),
  })
  const runtime = await testDevice([agent]).open()
  const run = await handleOf(runtime, await runtime.start('greedy', null))
  const { pause } = await run.until(({ status }) => status === 'paused')
  await runtime.close()
  return pause?.error
}

it('a turn has a bounded number of calls', async () => {
  const error = await pausedBy(async (ctx) => {
    for (let call = 0; call < limits.turnRecordsMax; call += 1)
      ctx.sleep(`nap-${String(call)}`, '1h').catch(() => undefined)
    await ctx.sleep('one more', '1h')
  })
  expect(error).toMatchObject({ code: 'limit_exceeded' })
  expect(error?.message).toContain(String(limits.turnRecordsMax))
})

it('a map has a bounded number of items', async () => {
  const items = Array.from({ length: limits.mapItemsMax + 1 }, (_, at) => at)
  const error = await pausedBy((ctx) => ctx.map('all', items, { key: String }, () => Promise.resolve(1)))
  expect(error).toMatchObject({ code: 'limit_exceeded' })
  expect(error?.message).toContain(String(limits.mapItemsMax))
})

it('a stream has a bounded length', async () => {
  const error = await pausedBy((ctx) =>
    ctx.stream('speech', { attempts: 1 }, ({ out }) => out.write('x'.repeat(limits.streamCharsMax + 1))),
  )
  expect(error).toMatchObject({ code: 'limit_exceeded', path: '0/speech' })
})
