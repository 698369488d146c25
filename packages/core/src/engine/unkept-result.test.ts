import { describe, expect, it } from 'vitest'
import { handleOf, hastyClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done } from './agent.ts'
import type { OnceOptions } from './ctx.ts'

/** A run whose effect happens, and has a result that cannot be kept. */
async function paid(result: () => unknown, options: Partial<OnceOptions<unknown>> = {}) {
  const effects: string[] = []
  const agent = defineAgent({
    name: 'payer',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const undo = (): void => void effects.push('taken back')
      const bill = await ctx.once('pay', { timeout: '1s', undo, ...options }, () => {
        effects.push('paid')
        return result() as string
      })
      await ctx.receive('go' as never)
      return done(bill)
    },
  })
  const runtime = await testDevice([agent], { clock: hastyClock }).open()
  const run = await handleOf(runtime, await runtime.start('payer', null))
  const { pause } = await run.until(({ status }) => status === 'paused')
  return { runtime, run, effects, pause }
}

const mistake = (): never => {
  throw new Error('a mistake')
}
const noAnswer = (): never => {
  throw new Error('the connection was reset')
}

const unkept = {
  'cannot be encoded': [() => (): void => undefined, {}],
  'its `redact` throws at': [() => 'a receipt', { redact: mistake }],
  'cannot be encoded, whatever is done about unknown outcomes': [
    () => (): void => undefined,
    { onUnknown: 'retry' },
  ],
  '`verify` gives, and that cannot be encoded': [
    noAnswer,
    { verify: async () => ({ done: true, value: mistake }) },
  ],
  '`verify` gives, and its `redact` throws at': [
    noAnswer,
    { verify: async () => ({ done: true, value: 'a receipt' }), redact: mistake },
  ],
  '`assumeDone` gives, and that cannot be encoded': [
    noAnswer,
    { verify: async () => undefined as never, onUnknown: { assumeDone: () => mistake } },
  ],
} as const satisfies Record<string, readonly [() => unknown, Partial<OnceOptions<unknown>>]>

describe('a `once` that happened, with a result that', () => {
  it.each(Object.entries(unkept))(
    '%s: pauses, and says that it was carried out',
    async (_, [result, options]) => {
      const { runtime, run, effects, pause } = await paid(result, options)
      expect(pause).toMatchObject({ reason: 'outcome', error: { code: 'outcome_unknown', path: '0/pay' } })
      expect(pause?.error.message).toContain('has carried out "0/pay"')
      await run.decide(String((pause?.error.details as { readonly start?: string } | undefined)?.start), {
        type: 'done',
        value: 'by hand',
      })
      await run.until(({ status }) => status === 'waiting')
      await run.cancel('not wanted', { undo: true })
      await run.until(({ status }) => status === 'cancelled')
      expect(effects).toEqual(['paid', 'taken back'])
      await runtime.close()
    },
  )
})
