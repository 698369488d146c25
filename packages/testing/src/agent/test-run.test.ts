import { defineAgent, done, fail, need, next, type Ctx, type Schema } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { crashEverywhere } from './crash-everywhere.ts'
import { elapse } from './elapse.ts'
import { testRun } from './test-run.ts'

const text: Schema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (typeof value === 'string' ? { value } : { issues: [{ message: 'not a text' }] }),
  },
}

const day = 86_400_000

/** An agent of one turn. */
function oneTurn<Result>(turn: (ctx: Ctx, state: { notes: unknown[] }) => Promise<Result>) {
  return defineAgent({
    name: 'one-turn',
    version: 1,
    initial: () => ({ notes: [] as unknown[] }),
    turn: async (ctx, state) => done(await turn(ctx, state)),
  })
}

describe('testRun()', () => {
  const reader = defineAgent({
    name: 'reader',
    version: 1,
    needs: { read: need<(url: string) => Promise<string>>(), send: need<() => void>({ at: 'edge' }) },
    initial: (input: { urls: string[] }) => ({ ...input, notes: [] as string[] }),
    async turn(ctx, state) {
      const url = state.urls[state.notes.length]
      if (url === undefined) return done({ count: state.notes.length })
      state.notes.push(await ctx.step('read', () => ctx.use.read(url)))
      return next()
    },
  })

  it('gives status, result, state, steps and entries of a run in memory', async () => {
    const use = { read: (url: string) => Promise.resolve(`text of ${url}`) }
    const run = await testRun(reader, { input: { urls: ['/a', '/b'] }, use })
    expect(run.status).toBe('done')
    expect(run.result?.count).toBe(2)
    expect(run.state.notes).toEqual(['text of /a', 'text of /b'])
    expect(run.steps).toEqual(['0/read', '1/read'])
    expect(run.entries.map(({ kind }) => kind)).toEqual([
      'start',
      ...['turn', 'step', 'commit'],
      ...['turn', 'step', 'commit'],
      'commit',
    ])
    expect(run.elapsedMs).toBe(0)
  })

  it('gives the same log every time', async () => {
    const use = { read: (url: string) => Promise.resolve(url) }
    const first = await testRun(reader, { input: { urls: ['/a', '/b'] }, use })
    const second = await testRun(reader, { input: { urls: ['/a', '/b'] }, use })
    expect(second.entries.map(({ digest }) => digest)).toEqual(first.entries.map(({ digest }) => digest))
  })

  it('tells of effects and their keys, of streams and of artifacts', async () => {
    const agent = oneTurn(async (ctx) => {
      await ctx.stream('draft', async ({ out }) => {
        await out.write('wrong')
        await out.reset()
        await out.write('a ')
        await out.write('b')
      })
      await ctx.artifact('brief.md', '# Brief')
      return ctx.once('pay', { timeout: '10s' }, ({ idempotencyKey }) => idempotencyKey)
    })
    const run = await testRun(agent, {})
    expect(run.streams).toEqual({ '0/draft': 'a b' })
    expect(run.artifacts.map(({ name, content }) => [name, new TextDecoder().decode(content)])).toEqual([
      ['brief.md', '# Brief'],
    ])
    expect(run.effects).toEqual([{ path: '0/pay', key: run.result, started: 1 }])
  })

  it('shows why a run failed, and why one paused', async () => {
    const failing = defineAgent({
      name: 'failing',
      version: 1,
      initial: () => ({}),
      turn: async () => fail('nothing to do'),
    })
    expect(await testRun(failing, {})).toMatchObject({ status: 'failed', reason: 'nothing to do' })
    const throwing = oneTurn(() => Promise.reject(new Error('no idea')))
    expect(await testRun(throwing, {})).toMatchObject({
      status: 'paused',
      error: { code: 'step_failed', message: 'no idea' },
    })
  })

  it('names the need that is not provided', async () => {
    const agent = defineAgent({
      ...reader,
      turn: async (ctx) => done(await ctx.step('send', { needs: ['send'] }, () => ctx.use.send())),
    })
    await expect(testRun(agent, { input: { urls: [] } })).rejects.toMatchObject({
      code: 'input_refused',
      message: expect.stringContaining('"0/send" needs "send"') as string,
    })
  })

  it('is every place at once, or the one it is told', async () => {
    const agent = defineAgent({
      ...reader,
      turn: async (ctx) => done(await ctx.step('send', { needs: ['send'] }, () => ctx.use.send())),
    })
    const given = { input: { urls: [] }, use: { send: () => undefined } }
    expect(await testRun(agent, given)).toMatchObject({ status: 'done' })
    await expect(testRun(agent, { ...given, place: 'browser' })).rejects.toThrow('needs "send" at edge')
  })

  it('finds what a replay would not find again', async () => {
    const agent = oneTurn(async (ctx, state) => {
      let found = 0
      await ctx.step('look', () => void (found = 3))
      state.notes.push(found)
      return found
    })
    expect(await testRun(agent, {})).toMatchObject({ status: 'paused', error: { code: 'not_replayable' } })
    expect(await testRun(agent, { replay: false })).toMatchObject({ status: 'done', result: 3 })
  })

  it('gives up on a body that never ends, and names it', async () => {
    const agent = oneTurn((ctx) => ctx.step('hang', () => new Promise(() => undefined)))
    await expect(testRun(agent, { patience: 20 })).rejects.toMatchObject({
      code: 'step_timeout',
      path: '0/hang',
    })
  })

  it('gives up on a turn that waits for something outside ctx', async () => {
    const agent = oneTurn(() => new Promise(() => undefined))
    expect(await testRun(agent, {})).toMatchObject({ status: 'paused', error: { code: 'waits_outside' } })
  })
})

describe('the children of a run in testRun()', () => {
  const child = defineAgent({
    name: 'child',
    version: 1,
    initial: (input: { of: string }) => input,
    async turn(ctx, state) {
      await ctx.sleep('nap', '1d')
      const answer = await ctx.ask<string>('name', { question: state.of })
      return done(answer.status === 'answered' ? answer.value : '')
    },
  })
  const parent = oneTurn(async (ctx) => ctx.join(await ctx.spawn('child', child, { of: 'mine' })))

  it('run beside it, and are answered too', async () => {
    const run = await testRun(parent, { agents: [child], answers: { name: (of: string) => `${of}: Ada` } })
    expect(run).toMatchObject({ status: 'done', result: 'mine: Ada', elapsedMs: day, asks: [] })
  })

  it('are named when one waits for what nobody gives', async () => {
    await expect(testRun(parent, { agents: [child] })).rejects.toThrow('"0/name" is an open question')
  })
})

describe('the time of testRun()', () => {
  it('jumps over a sleep and the pause between turns', async () => {
    const agent = defineAgent({
      name: 'sleeper',
      version: 1,
      initial: () => ({ woke: [] as number[] }),
      async turn(ctx, state) {
        await ctx.sleep('nap', '7d')
        state.woke.push(ctx.now())
        return state.woke.length < 2 ? next({ after: '30d' }) : done()
      },
    })
    const run = await testRun(agent, { now: 1_000 })
    expect(run.state.woke).toEqual([1_000 + 7 * day, 1_000 + 44 * day])
    expect(run.elapsedMs).toBe(44 * day)
  })

  it('jumps to the deadline of a question that nobody answers', async () => {
    const agent = oneTurn((ctx) => ctx.ask('sure', { question: 'sure?', deadline: '2d' }))
    const run = await testRun(agent, {})
    expect(run.result).toEqual({ status: 'expired' })
    expect(run.asks).toEqual([{ path: '0/sure', question: 'sure?', status: 'expired' }])
    expect(run.elapsedMs).toBe(2 * day)
  })

  it('passes in the waits of a step that is tried again', async () => {
    const agent = oneTurn((ctx) =>
      ctx.step('flaky', { attempts: 3, backoff: '10s' }, ({ attempt }) => {
        if (attempt < 3) throw new Error(`attempt ${String(attempt)} failed`)
        return attempt
      }),
    )
    const run = await testRun(agent, {})
    expect(run).toMatchObject({ status: 'done', result: 3, elapsedMs: 30_000 })
    expect(run.steps).toEqual(['0/flaky', '0/flaky', '0/flaky'])
  })

  it('stands while a body does real work, whatever else waits', async () => {
    const agent = oneTurn((ctx) =>
      ctx.all('both', {
        deadline: (c) => c.ask('sure', { question: null, deadline: '1s' }),
        work: async (c) => {
          await c.step('work', { timeout: '1ms' }, () => new Promise((resolve) => setTimeout(resolve, 30)))
          return c.now()
        },
      }),
    )
    const run = await testRun(agent, { now: 5 })
    expect(run).toMatchObject({ status: 'done', result: { work: 5 }, elapsedMs: 1_000 })
  })

  it('meets the time-out of a body that waits with elapse()', async () => {
    const told: unknown[] = []
    const agent = oneTurn((ctx) =>
      ctx.step('slow', { attempts: 1, timeout: '30s' }, ({ signal }) =>
        elapse('1h', signal).catch((error: unknown) => told.push(error)),
      ),
    )
    const run = await testRun(agent, {})
    expect(run).toMatchObject({ status: 'paused', error: { code: 'step_timeout' }, elapsedMs: 30_000 })
    expect(told).toMatchObject([{ code: 'step_timeout' }])
  })

  it('lets the quicker of two slow tools win', async () => {
    const agent = oneTurn((ctx) =>
      ctx.race('either', {
        slow: (c) => c.step('ask', ({ signal }) => elapse('2h', signal)),
        quick: (c) => c.step('ask', ({ signal }) => elapse('1h', signal)),
      }),
    )
    const run = await testRun(agent, {})
    expect(run).toMatchObject({ status: 'done', result: { name: 'quick' }, elapsedMs: 3_600_000 })
  })

  it('is nobody else: elapse() is refused outside of a body', async () => {
    await expect(elapse('1s')).rejects.toMatchObject({ code: 'input_refused' })
  })
})

describe('the people of testRun()', () => {
  it('answer by the name of a question or its path, with a value or a function of the question', async () => {
    const agent = oneTurn(async (ctx) => [
      await ctx.ask('size', { question: { of: 'hat' } }),
      await ctx.scope('inner', (c) => c.ask('size', { question: { of: 'shoe' } })),
      await ctx.ask('done?', { question: null }),
    ])
    const run = await testRun(agent, {
      answers: {
        size: ({ of }: { of: string }) => `${of}: 7`,
        '0/inner/size': async () => Promise.resolve(42),
        'done?': true,
      },
    })
    expect(run.asks.map(({ path, value }) => [path, value])).toEqual([
      ['0/size', 'hat: 7'],
      ['0/inner/size', 42],
      ['0/done?', true],
    ])
  })

  it('say nothing to a question or an effect that is named as what every object has', async () => {
    const agent = oneTurn((ctx) => ctx.ask('constructor', { question: null, deadline: '1h' }))
    expect((await testRun(agent, {})).asks).toMatchObject([{ path: '0/constructor', status: 'expired' }])
    expect((await testRun(agent, { answers: { constructor: 7 } })).asks).toMatchObject([{ value: 7 }])
    const payer = oneTurn((ctx) =>
      ctx.once('toString', { timeout: '10s' }, ({ signal }) => elapse('1m', signal)),
    )
    expect(await testRun(payer, {})).toMatchObject({ status: 'paused', error: { code: 'outcome_unknown' } })
  })

  it('rejects, naming the open question', async () => {
    const agent = oneTurn((ctx) => ctx.ask('approve', { question: 'this?' }))
    await expect(testRun(agent, { answers: { aprove: true } })).rejects.toMatchObject({
      code: 'input_refused',
      message: expect.stringContaining('"0/approve" is an open question') as string,
      details: { asks: [{ path: '0/approve', question: 'this?' }] },
    })
  })

  it('rejects an answer that the schema refuses, and asks a function once more', async () => {
    const agent = oneTurn((ctx) => ctx.ask('name', { question: null, schema: text }))
    await expect(testRun(agent, { answers: { name: 7 } })).rejects.toMatchObject({
      code: 'answer_refused',
      message: expect.stringContaining('not a text') as string,
    })
    const run = await testRun(agent, { answers: { name: (_, { refused }) => refused ?? 7 } })
    expect(run.asks[0]).toMatchObject({ status: 'answered', value: 'not a text' })
  })

  const steered = defineAgent({
    name: 'steered',
    version: 1,
    inbox: { remark: text, stop: text },
    initial: () => ({ heard: [] as string[] }),
    async turn(ctx, state) {
      const { name, value } = await ctx.race('next', {
        remark: (c) => c.receive('remark'),
        stop: (c) => c.receive('stop'),
      })
      if (name === 'stop') return done(value)
      state.heard.push(value)
      return next()
    },
  })

  it('send messages in order, each when the run waits for it', async () => {
    const messages = [
      { name: 'remark', value: 'shorter' },
      { name: 'remark', value: 'kinder' },
      { name: 'stop', value: 'good' },
    ]
    const run = await testRun(steered, { messages })
    expect(run).toMatchObject({ result: 'good', state: { heard: ['shorter', 'kinder'] } })
    const byName = await testRun(steered, { messages: { remark: ['shorter', 'kinder'], stop: ['good'] } })
    expect(byName.state).toEqual(run.state)
  })

  const editor = defineAgent({
    name: 'editor',
    version: 1,
    inbox: { remark: text, more: text },
    initial: () => ({ heard: [] as string[][] }),
    async turn(ctx, state) {
      state.heard.push(await ctx.drain('remark'))
      if (state.heard.length === 4) return done()
      await ctx.receive('more')
      return next()
    },
  })

  it('send what an agent only drains in order, one message in a turn, for the next drain', async () => {
    const messages = { remark: ['shorter', 'kinder'], more: ['a', 'b', 'c', 'd'] }
    const run = await testRun(editor, { messages })
    expect(run.state.heard).toEqual([[], ['shorter'], ['kinder'], []])
    expect(run.unsent).toEqual([{ name: 'more', value: 'd' }])
    const { whole } = await crashEverywhere(editor, { messages })
    expect(whole.state.heard).toEqual(run.state.heard)
  })

  it('tell of messages that there was no time to send', async () => {
    const hasty = defineAgent({
      name: 'hasty',
      version: 1,
      inbox: { remark: text },
      initial: () => ({}),
      turn: async (ctx) => done(await ctx.drain('remark')),
    })
    const run = await testRun(hasty, { messages: { remark: ['shorter'] } })
    expect(run).toMatchObject({ result: [], unsent: [{ name: 'remark', value: 'shorter' }] })
    expect((await testRun(steered, { messages: { stop: ['good'] } })).unsent).toEqual([])
  })

  it('rejects when a message is waited for that nobody sends', async () => {
    await expect(testRun(steered, {})).rejects.toThrow('"0/next/remark/remark" waits for a message "remark"')
  })

  it('decide about an effect whose outcome is unknown', async () => {
    const agent = oneTurn((ctx) =>
      ctx.once('pay', { timeout: '10s' }, ({ signal }) => elapse('1m', signal).then(() => 'paid')),
    )
    expect(await testRun(agent, {})).toMatchObject({ status: 'paused', error: { code: 'outcome_unknown' } })
    const run = await testRun(agent, { decisions: { pay: { done: 'was paid' } } })
    expect(run).toMatchObject({ status: 'done', result: 'was paid', effects: [{ started: 1 }] })
  })
})
