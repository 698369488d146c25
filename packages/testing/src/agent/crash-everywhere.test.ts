import { defineAgent, done, fail, need, next, type Ctx, type Schema } from '@waystone/core'
import { describe, expect, it } from 'vitest'
import { crashEverywhere } from './crash-everywhere.ts'
import { elapse } from './elapse.ts'

const text: Schema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (typeof value === 'string' ? { value } : { issues: [{ message: 'not a text' }] }),
  },
}

/** A bank that tells of repetitions by their key, or does not. */
function fakeBank(options: { readonly keys: boolean } = { keys: true }) {
  const payments: { key: string; cents: number }[] = []
  return {
    payments,
    pay(cents: number, key: string): Promise<number> {
      const known = payments.findIndex((one) => options.keys && one.key === key)
      return Promise.resolve(known < 0 ? payments.push({ key, cents }) : known + 1)
    },
    find: (key: string): number => payments.findIndex((one) => one.key === key) + 1,
  }
}
type Bank = ReturnType<typeof fakeBank>

/** An agent of one turn with a bank. */
function withBank<Result>(turn: (ctx: Ctx<{ bank: ReturnType<typeof need<Bank>> }>) => Promise<Result>) {
  return defineAgent({
    name: 'banker',
    version: 1,
    needs: { bank: need<Bank>() },
    initial: () => ({}),
    turn: async (ctx) => done(await turn(ctx)),
  })
}

/** An agent of one turn that leaves something in its state. */
function oneTurn(turn: (ctx: Ctx, state: { notes: unknown[] }) => Promise<void>) {
  return defineAgent({
    name: 'wrong',
    version: 1,
    initial: () => ({ notes: [] as unknown[] }),
    async turn(ctx, state) {
      await turn(ctx, state)
      return done()
    },
  })
}

const world = { use: () => ({ bank: fakeBank() }), effects: ({ bank }: { bank: Bank }) => bank.payments }

describe('crashEverywhere() lets pass', () => {
  it('an agent that does everything right', async () => {
    const agent = defineAgent({
      name: 'everything',
      version: 1,
      needs: { bank: need<Bank>() },
      inbox: { hint: text },
      initial: (input: { cents: number }) => ({ ...input, parts: [] as unknown[] }),
      async turn(ctx, state) {
        if (state.parts.length === 0) {
          state.parts.push(await ctx.receive('hint'))
          return next({ after: '1d' })
        }
        const { cents } = ctx.current(state)
        const words = await ctx.stream('words', async ({ out }) => {
          for (const word of ['a ', 'b ', 'c '].slice(out.text.length / 2)) await out.write(word)
          return out.text
        })
        const sizes = await ctx.map('size', [1, 2, 3], { key: String, concurrency: 2 }, async (c, size) => {
          await c.sleep('nap', `${size}h`)
          return c.step('double', () => size * 2)
        })
        const sure = await ctx.ask<string>('sure', { question: { words }, schema: text })
        const late = await ctx.ask('late', { question: 'anybody?', deadline: '2d' })
        const paid = await ctx.once('pay', { timeout: '20s' }, ({ idempotencyKey }) =>
          ctx.use.bank.pay(cents, idempotencyKey),
        )
        const file = await ctx.artifact('brief.md', `# ${words}`)
        state.parts.push(words, sizes, sure, late, paid, file.hash, ctx.uuid())
        return done(file.bytes)
      },
    })
    const { whole, kills } = await crashEverywhere(agent, {
      ...world,
      input: { cents: 500 },
      answers: { sure: (question: { words: string }) => question.words },
      messages: { hint: ['look there'] },
    })
    expect(whole.state.parts.slice(0, 6)).toEqual([
      'look there',
      'a b c ',
      [2, 4, 6],
      { status: 'answered', value: 'a b c ', by: 'test' },
      { status: 'expired' },
      1,
    ])
    expect(kills).toHaveLength(whole.entries.length + 2)
    expect(kills).toContain('in the middle of stream "1/words"')
    expect(kills.filter((where) => where.includes('once.start "1/pay"'))).toHaveLength(2)
  })

  it('steps that fail, are tried again and are caught', async () => {
    const agent = oneTurn(async (ctx, state) => {
      const value = await ctx.step('flaky', ({ attempt }) => {
        if (attempt < 2) throw new Error('not yet')
        return 'at last'
      })
      const caught = await ctx
        .step('broken', { attempts: 1 }, () => Promise.reject(new TypeError('never')))
        .catch((error: unknown) => (error as Error).message)
      state.notes.push(value, caught)
    })
    const { whole } = await crashEverywhere(agent, {})
    expect(whole.state.notes).toEqual(['at last', 'never'])
  })

  it('a race of slow tools', async () => {
    const agent = oneTurn(async (ctx, state) => {
      const won = await ctx.race('either', {
        slow: (c) => c.step('ask', ({ signal }) => elapse('2h', signal).then(() => 'slow')),
        quick: (c) => c.step('ask', ({ signal }) => elapse('1h', signal).then(() => 'quick')),
      })
      state.notes.push(won.value)
    })
    const { whole } = await crashEverywhere(agent, {})
    expect(whole.state.notes).toEqual(['quick'])
  })

  it('a run that waits for a child', async () => {
    const child = defineAgent({
      name: 'child',
      version: 1,
      initial: (input: { of: number }) => input,
      turn: async (ctx, state) =>
        done(
          await ctx.step(
            'double',
            (
              (of) => () =>
                of * 2
            )(state.of),
          ),
        ),
    })
    const agent = oneTurn(async (ctx, state) => {
      const result = await ctx.join(await ctx.spawn('child', child, { of: 21 }))
      state.notes.push(result)
    })
    const { whole } = await crashEverywhere(agent, { agents: [child] })
    expect(whole.state.notes).toEqual([42])
  })

  it('a run that fails, the same after each crash', async () => {
    const agent = defineAgent({
      name: 'failing',
      version: 1,
      initial: () => ({}),
      turn: async (ctx) => fail(`no more than ${String(await ctx.step('count', () => 3))}`),
    })
    const { whole } = await crashEverywhere(agent, {})
    expect(whole).toMatchObject({ status: 'failed', reason: 'no more than 3' })
  })

  it('an effect that is asked about before it starts again', async () => {
    const agent = withBank((ctx) =>
      ctx.once(
        'pay',
        {
          timeout: '10s',
          verify: ({ idempotencyKey }) => {
            const number = ctx.use.bank.find(idempotencyKey)
            return Promise.resolve(number > 0 ? { done: true, value: number } : { done: false })
          },
        },
        ({ idempotencyKey }) => ctx.use.bank.pay(500, idempotencyKey),
      ),
    )
    const { whole } = await crashEverywhere(agent, world)
    expect(whole.result).toBe(1)
  })

  it('an end that keeps a time, when times are left out of the comparison', async () => {
    const agent = oneTurn(async (ctx, state) => {
      await ctx.once('pay', { timeout: '1m' }, () => 1)
      state.notes.push(ctx.now())
    })
    await expect(crashEverywhere(agent, {})).rejects.toThrow('state.notes.0')
    await crashEverywhere(agent, { compare: ({ status }) => status })
  })
})

describe('crashEverywhere() catches', () => {
  const whole = (agent: ReturnType<typeof oneTurn>) => crashEverywhere(agent, {})
  const kills = (agent: ReturnType<typeof oneTurn>) => crashEverywhere(agent, { replay: false })

  it('Date.now(), Math.random() and fetch() in a turn', async () => {
    const calls = {
      'Date.now()': () => Date.now(),
      'Math.random()': () => Math.random(),
      'fetch()': () => fetch('x'),
    }
    for (const [call, make] of Object.entries(calls)) {
      const agent = oneTurn(async (ctx, state) => {
        await ctx.step('one', () => 1)
        state.notes.push(await make())
      })
      await expect(whole(agent)).rejects.toThrow(`${call} was called in a turn`)
    }
  })

  it('the result of a body that takes the way of an outer variable', async () => {
    const agent = oneTurn(async (ctx, state) => {
      let found = 0
      await ctx.step('look', () => void (found = 3))
      await ctx.step('use', () => found)
      state.notes.push(found)
    })
    await expect(whole(agent)).rejects.toMatchObject({ code: 'not_replayable' })
    await expect(kills(agent)).rejects.toMatchObject({
      code: 'not_replayable',
      message:
        'wrong, killed after entry 2 (step "0/look"), came to another end: state.notes.0: expected 3, found 0',
      details: { where: 'state.notes.0', expected: 3, found: 0 },
    })
  })

  it('a counter outside of the agent that changes its state', async () => {
    let count = 0
    const agent = oneTurn(async (ctx, state) => {
      await ctx.step('one', () => 1)
      state.notes.push((count += 1))
    })
    await expect(whole(agent)).rejects.toMatchObject({ code: 'not_replayable' })
    await expect(kills(agent)).rejects.toThrow(
      /after entry 0 \(start\), came to another end: state.notes.0: expected \d, found \d/,
    )
  })

  it('a counter outside of the agent that names its steps', async () => {
    let count = 0
    const agent = oneTurn(async (ctx, state) => {
      await ctx.step(`step-${String((count += 1))}`, () => 1)
      state.notes.push(await ctx.step('last', () => 2))
    })
    await expect(whole(agent)).rejects.toMatchObject({ code: 'not_replayable' })
    await expect(kills(agent)).rejects.toThrow(
      /killed after entry 2 \(step "0\/step-\d"\), paused: .* cannot be replayed by this code/,
    )
  })

  it('a wait that a body ends', async () => {
    const agent = oneTurn(async (ctx, state) => {
      let told: Promise<void> | undefined
      const heard = await new Promise((resolve) => {
        told = ctx.step('tell', () => resolve('something'))
      })
      await told
      state.notes.push(heard)
    })
    await expect(kills(agent)).rejects.toMatchObject({ code: 'not_replayable' })
  })

  it('an effect in a step whose world does not know its key', async () => {
    const agent = withBank((ctx) =>
      ctx.step('pay', ({ idempotencyKey }) => ctx.use.bank.pay(500, idempotencyKey)),
    )
    await crashEverywhere(agent, { ...world, compare: ({ status }) => status })
    const forgetful = { ...world, use: () => ({ bank: fakeBank({ keys: false }) }) }
    await expect(crashEverywhere(agent, forgetful)).rejects.toThrow(
      /killed after entry 0 \(start\), (came to another end|left another world)/,
    )
  })

  it('an effect that the agent lets start again by itself', async () => {
    const agent = withBank(async (ctx) => {
      await ctx.once('pay', { timeout: '10s', onUnknown: 'retry' }, ({ idempotencyKey }) =>
        ctx.use.bank.pay(500, idempotencyKey),
      )
    })
    await crashEverywhere(agent, world)
    const forgetful = { ...world, use: () => ({ bank: fakeBank({ keys: false }) }) }
    await expect(crashEverywhere(agent, forgetful)).rejects.toThrow('left another world: effects.1')
  })

  it('a stream that begins again instead of going on', async () => {
    const agent = oneTurn(async (ctx, state) => {
      const words = await ctx.stream('words', async ({ out }) => {
        for (const word of ['a ', 'b ', 'c ', 'd ']) await out.write(word)
        return out.text
      })
      state.notes.push(words)
    })
    await expect(kills(agent)).rejects.toThrow('expected "a b c d ", found "a b c d a b c d "')
  })

  it('a question that is put with something else', async () => {
    let lives = 0
    const agent = oneTurn(async (ctx) => {
      const life = await ctx.step('life', () => (lives += 1))
      await ctx.ask('sure', { question: { life }, deadline: '1d' })
    })
    await expect(whole(agent)).rejects.toThrow('asks.0.question.life: expected 1, found')
  })

  it('an agent that pauses although nobody kills it', async () => {
    const agent = oneTurn(() => Promise.reject(new Error('no idea')))
    await expect(whole(agent)).rejects.toMatchObject({
      code: 'step_failed',
      message: 'the run paused although nobody killed it: no idea',
    })
  })

  it('a comparison of worlds that are one world', async () => {
    const agent = withBank(() => Promise.resolve())
    const bank = fakeBank()
    await expect(
      crashEverywhere(agent, { use: { bank }, effects: () => bank.payments }),
    ).rejects.toMatchObject({ code: 'input_refused' })
  })
})
