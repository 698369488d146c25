import { expect, it } from 'vitest'
import { handleOf, hastyClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done } from './agent.ts'
import type { Ctx } from './ctx.ts'

/** What a run comes to whose options throw, and how often its body was started. */
async function pausedBy(call: (ctx: Ctx, body: () => never) => Promise<unknown>) {
  let tries = 0
  const body = (): never => {
    tries += 1
    throw new Error('the desk is closed')
  }
  const agent = defineAgent({
    name: 'caller',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await call(ctx as Ctx, body)),
  })
  const runtime = await testDevice([agent], { clock: hastyClock }).open()
  const run = await handleOf(runtime, await runtime.start('caller', null))
  const { pause } = await run.until(({ status }) => status === 'paused')
  await runtime.close()
  return { pause, tries }
}

const throws = (): never => {
  throw new Error('a mistake of the author')
}

it('a `retryIf` that throws fails its step with what the body said: it is not begun again and again', async () => {
  const { pause, tries } = await pausedBy((ctx, body) => ctx.step('call', { retryIf: throws }, body))
  expect(pause?.error).toMatchObject({ code: 'step_failed', message: 'the desk is closed', path: '0/call' })
  expect(tries).toBe(1)
})

it('an `assumeDone` that throws leaves the outcome to a person', async () => {
  const verify = async () => undefined as never
  const onUnknown = { assumeDone: throws }
  const { pause, tries } = await pausedBy((ctx, body) =>
    ctx.once('call', { timeout: '1s', verify, onUnknown }, body),
  )
  expect(pause).toMatchObject({ reason: 'outcome', error: { path: '0/call' } })
  expect(tries).toBe(1)
})

it('an effect whose outcome is unknown fails where its author says so, and is not started again', async () => {
  const verify = async () => undefined as never
  const { pause, tries } = await pausedBy((ctx, body) =>
    ctx.once('call', { timeout: '1s', verify, onUnknown: 'fail' }, body),
  )
  expect(pause).toMatchObject({ reason: 'error', error: { code: 'outcome_unknown', path: '0/call' } })
  expect(tries).toBe(1)
})
