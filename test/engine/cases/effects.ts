import { defineAgent, done } from '@waystone/core'
import { doneWith, oneTurn, type CaseInput, type EngineCase, type Play } from '../engine-case.ts'

const napMs = 2_500

const sleep: EngineCase = {
  name: 'a sleep goes on over a kill, and ends when its time has come',
  agent: oneTurn('sleep', async (ctx, reach) => {
    await ctx.step('before', (tools) => reach('before', tools))
    const from = ctx.now()
    await ctx.sleep('nap', napMs)
    const slept = ctx.now() - from >= napMs
    return { slept, after: await ctx.step('after', (tools) => reach('after', tools)) }
  }),
  async play({ begin, kill, logged }) {
    await begin()
    await logged('sleep')
    await kill()
  },
  end: {
    view: doneWith({ slept: true, after: 'after' }),
    starts: { before: 1, after: 1 },
    recorded: ['0/before', '0/nap', '0/after'],
  },
}

const pays = (name: string) =>
  oneTurn(name, async (ctx, reach) => ({
    paid: await ctx.once('pay', { timeout: '5s' }, (tools) => reach('pay', tools, tools.idempotencyKey)),
    after: await ctx.step('after', (tools) => reach('after', tools)),
  }))

/** Kills the host between start and end of the payment; gives where it is to be decided. */
async function killWhilePaying({
  begin,
  hold,
  kill,
  until,
}: Play): Promise<{ start: string; pay: ReturnType<Play['hold']> }> {
  const pay = hold('pay')
  await begin()
  await pay.arrived
  await kill()
  const { error } = await until(({ status }) => status === 'paused')
  return { pay, start: String((error?.details as { start?: unknown } | undefined)?.start) }
}

const paidAgain: EngineCase = {
  name: 'a `once` killed in the middle is not started again before a person says so, and then with the same key',
  agent: pays('paid again'),
  async play(run) {
    const { start, pay } = await killWhilePaying(run)
    const atPause = run.starts()
    const view = await run.until(({ status }) => status === 'paused')
    pay.release()
    await run.act({ do: 'decide', start, type: 'again' })
    return { atPause, reason: view.pause?.reason, code: view.error?.code, path: view.error?.path }
  },
  end: {
    seen: { atPause: { pay: 1 }, reason: 'outcome', code: 'outcome_unknown', path: '0/pay' },
    view: doneWith({ paid: 'pay', after: 'after' }),
    starts: { pay: 2, after: 1 },
    recorded: ['0/pay', '0/after'],
  },
}

const paidBefore: EngineCase = {
  name: 'a `once` killed in the middle has the outcome that a person says, and is not started again',
  agent: pays('paid before'),
  async play(run) {
    const { start, pay } = await killWhilePaying(run)
    pay.release()
    await run.act({ do: 'decide', start, type: 'done', value: 'paid before' })
  },
  end: {
    view: doneWith({ paid: 'paid before', after: 'after' }),
    starts: { pay: 1, after: 1 },
    recorded: ['0/pay', '0/after'],
  },
}

const locked: EngineCase = {
  name: 'a state that is written while a step is open pauses the run, before and after a kill',
  agent: defineAgent({
    name: 'locked',
    version: 1,
    initial: (input: CaseInput) => ({ ...input, hasty: false }),
    async turn(ctx, state) {
      const open = ctx.step('one', () => 1)
      state.hasty = true
      return done(await open)
    },
  }),
  async play({ begin, kill, until }) {
    await begin()
    await until(({ status }) => status === 'paused')
    await kill()
    await until(({ status }) => status === 'paused')
  },
  end: {
    view: {
      status: 'paused',
      pause: { reason: 'error' },
      error: { code: 'state_locked', path: '0/one' },
      state: { hasty: false },
    },
    starts: {},
  },
}

/** Effects on the world, time and state. */
export const effectCases = [sleep, paidAgain, paidBefore, locked]
