import { handleOf, hastyClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done } from './agent.ts'
import type { Ctx } from './ctx.ts'

/** What a run is paused with whose turn does this. */
export async function pausedBy(turn: (ctx: Ctx) => Promise<unknown>) {
  const agent = defineAgent({
    name: 'paused',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await turn(ctx as Ctx)),
  })
  const runtime = await testDevice([agent], { clock: hastyClock }).open()
  const run = await handleOf(runtime, await runtime.start('paused', null))
  const { pause } = await run.until(({ status }) => status === 'paused')
  await runtime.close()
  return pause
}
