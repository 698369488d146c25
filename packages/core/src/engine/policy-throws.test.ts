import { expect, it } from 'vitest'
import type { Ctx } from './ctx.ts'
import { pausedBy } from './paused-by.test-support.ts'

/** What a run comes to whose body fails, and how often that was started. */
async function failing(call: (ctx: Ctx, body: () => never) => Promise<unknown>) {
  let tries = 0
  const body = (): never => {
    tries += 1
    throw new Error('the desk is closed')
  }
  const pause = await pausedBy((ctx) => call(ctx, body))
  return { pause, tries }
}

const throws = (): never => {
  throw new Error('a mistake of the author')
}

it('a `retryIf` that throws fails its step with what the body said: it is not begun again and again', async () => {
  const { pause, tries } = await failing((ctx, body) => ctx.step('call', { retryIf: throws }, body))
  expect(pause?.error).toMatchObject({ code: 'step_failed', message: 'the desk is closed', path: '0/call' })
  expect(tries).toBe(1)
})

it('an `assumeDone` that throws leaves the outcome to a person', async () => {
  const verify = async () => undefined as never
  const onUnknown = { assumeDone: throws }
  const { pause, tries } = await failing((ctx, body) =>
    ctx.once('call', { timeout: '1s', verify, onUnknown }, body),
  )
  expect(pause).toMatchObject({ reason: 'outcome', error: { path: '0/call' } })
  expect(tries).toBe(1)
})

it('an effect whose outcome is unknown fails where its author says so, and is not started again', async () => {
  const verify = async () => undefined as never
  const { pause, tries } = await failing((ctx, body) =>
    ctx.once('call', { timeout: '1s', verify, onUnknown: 'fail' }, body),
  )
  expect(pause).toMatchObject({ reason: 'error', error: { code: 'outcome_unknown', path: '0/call' } })
  expect(tries).toBe(1)
})
