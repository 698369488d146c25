import { defineAgent, next } from '@waystone/core'
import { doneWith, oneTurn, type EngineCase } from '../engine-case.ts'

const ask: EngineCase = {
  name: 'a question outlives a kill, and its answer is given to the turn',
  agent: oneTurn('ask', async (ctx, reach) => {
    const before = await ctx.step('before', (tools) => reach('before', tools))
    const answer = await ctx.ask<string>('colour', { question: { which: 'colour' } })
    return { before, status: answer.status, value: answer.status === 'answered' ? answer.value : undefined }
  }),
  async play({ begin, kill, until, act }) {
    const isAsked = ({ asks }: Parameters<Parameters<typeof until>[0]>[0]): boolean => asks.length === 1
    await begin()
    await until(isAsked)
    await kill()
    const view = await until((now) => isAsked(now) && now.status === 'waiting')
    await act({ do: 'answer', value: 'blue', by: 'ana' })
    return view.asks.map(({ path, question }) => ({ path, question }))
  },
  end: {
    seen: [{ path: '0/colour', question: { which: 'colour' } }],
    view: doneWith({ before: 'before', status: 'answered', value: 'blue' }),
    starts: { before: 1 },
    recorded: ['0/before', '0/colour'],
  },
}

const messages: EngineCase = {
  name: 'receive() takes a message and drain() all that wait, once, also over a kill',
  agent: oneTurn('messages', async (ctx, reach) => {
    // An edge takes over no run that would only wait.
    await ctx.step('before', (tools) => reach('before', tools))
    const begin = await ctx.receive('begin')
    await ctx.step('work', (tools) => reach('work', tools))
    const hints = await ctx.drain('hint')
    await ctx.step('tell', (tools) => reach('tell', tools, { begin, hints }))
    return { begin, hints, more: await ctx.drain('hint', { key: 'later' }) }
  }),
  async play({ begin, hold, kill, until, act }) {
    const [work, tell] = [hold('work'), hold('tell')]
    await begin()
    await until(({ live }) => live.calls.some(({ waits }) => waits?.for === 'message'))
    await act({ do: 'send', name: 'begin', value: 'go' })
    await work.arrived
    for (const value of ['one', 'two', 'three']) await act({ do: 'send', name: 'hint', value })
    await kill()
    work.release()
    await tell.arrived
    await kill()
    tell.release()
  },
  end: {
    view: doneWith({ begin: 'go', hints: ['one', 'two', 'three'], more: [] }),
    starts: { before: 1, work: 2, tell: 2 },
    recorded: ['0/before', '0/begin', '0/work', '0/hint', '0/tell', '0/later'],
  },
}

const interrupted: EngineCase = {
  name: 'an interrupt keeps what was said so far, ends the turn and pauses the run',
  agent: defineAgent({
    name: 'interrupted',
    version: 1,
    initial: (input: { server: string; run: string }) => ({ ...input, said: '', more: '' }),
    async turn(ctx, state) {
      const { server, run } = state
      state.said = await ctx.stream('answer', async ({ out, signal, idempotencyKey }) => {
        await out.write('so far')
        const headers = { 'idempotency-key': idempotencyKey }
        // The rest never comes: the interrupt ends the wait.
        await fetch(`${server}/effect/${run}.rest`, { method: 'POST', headers, signal }).catch(
          () => undefined,
        )
        return out.text
      })
      state.more = await ctx.step('more', () => 'more')
      return next()
    },
  }),
  async play({ begin, hold, until, act }) {
    const rest = hold('rest')
    await begin()
    await rest.arrived
    await until(({ streams }) => streams['0/answer'] === 'so far')
    await act({ do: 'interrupt' })
    await until(({ status }) => status === 'paused')
  },
  end: {
    view: { status: 'paused', pause: { reason: 'interrupted' }, state: { said: 'so far', more: '' } },
    starts: { rest: 1 },
    recorded: ['0/answer'],
    text: 'so far',
  },
}

/** What people and programs say to a run. */
export const peopleCases = [ask, messages, interrupted]
