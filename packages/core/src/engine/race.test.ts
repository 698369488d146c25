import { describe, expect, it } from 'vitest'
import { isWaystoneError } from '../errors.ts'
import { handleOf, hastyClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done, type AnyAgent } from './agent.ts'
import { crashEverywhere, crashedAfter, finish } from './crash.test-support.ts'

const nobody = async (): Promise<void> => undefined

/** An agent of one turn, whose state is what it gives. */
function oneTurn(turn: (ctx: Parameters<Turn>[0]) => Promise<unknown>): AnyAgent {
  return defineAgent({
    name: 'race',
    version: 1,
    initial: () => ({ got: undefined as unknown }),
    async turn(ctx, state) {
      state.got = await turn(ctx as Parameters<Turn>[0])
      return done()
    },
  })
}
type Turn = ReturnType<typeof defineAgent<null, { got: unknown }>>['turn']

async function stateOf(agent: AnyAgent): Promise<unknown> {
  const run = await finish(testDevice([agent], { clock: hastyClock }), agent, nobody)
  expect(run.view()?.error).toBeUndefined()
  return (run.view()?.state as { got: unknown } | undefined)?.got
}

/** Resolves when told to stop. */
function untilStopped(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped')))
}

function pause(ms: number): Promise<number> {
  return new Promise((resolve) => setTimeout(() => resolve(ms), ms).unref())
}

describe('race()', () => {
  it('gives the first branch that ends, stops the others, and is one entry', async () => {
    const seen: string[] = []
    const agent = oneTurn(async (ctx) => {
      const won = await ctx.race('fastest', {
        quick: (c) => c.step('get', () => 'here'),
        slow: async (c) => {
          try {
            return await c.step('get', ({ signal }) => untilStopped(signal))
          } catch (error) {
            seen.push(isWaystoneError(error, 'cancelled') ? 'cancelled' : String(error))
            seen.push(String(c.signal.aborted))
            await c.step('again', () => seen.push('ran after the race')).catch(() => seen.push('refused'))
            throw error
          }
        },
      })
      return { ...won, after: await ctx.step('after', () => [...seen]) }
    })
    const run = await finish(testDevice([agent]), agent, nobody)
    expect(run.view()?.state).toEqual({
      got: { name: 'quick', value: 'here', after: ['cancelled', 'true', 'refused'] },
    })
    expect(run.entries().flatMap(({ kind, body }) => (kind === 'race' ? [body] : []))).toEqual([
      { path: '0/fastest', winner: 'quick', losers: ['slow'] },
    ])
  })

  it('rejects as its first branch did', async () => {
    const got = await stateOf(
      oneTurn((ctx) =>
        ctx
          .race('first', {
            bad: (c) => c.step('x', { attempts: 1 }, () => Promise.reject(new Error('no'))),
            slow: (c) => c.step('x', ({ signal }) => untilStopped(signal)),
          })
          .catch((error: unknown) => (error as Error).message),
      ),
    )
    expect(got).toBe('no')
  })

  it('waits for a once of a loser until its outcome is recorded, and starts nothing meanwhile', async () => {
    const ran: string[] = []
    const agent = oneTurn((ctx) =>
      ctx.race('first', {
        quick: (c) => c.step('x', () => 1),
        paying: (c) => c.once('pay', { timeout: '5s' }, () => pause(60)),
        // Does not listen when it is told to stop, and would go on while the payment is under way.
        deaf: async (c) => {
          await c.step('one', () => pause(20).then(() => ran.push('one')))
          await c.step('two', () => ran.push('two'))
        },
      }),
    )
    const run = await finish(testDevice([agent]), agent, nobody)
    expect(run.view()?.status).toBe('done')
    const kinds = run.entries().map(({ kind }) => kind)
    expect(kinds.indexOf('once')).toBeGreaterThan(kinds.indexOf('once.start'))
    expect(kinds.indexOf('race')).toBeGreaterThan(kinds.indexOf('once'))
    expect(ran).toEqual(['one'])
  })

  it('closes the questions of its losers', async () => {
    const agent = oneTurn((ctx) =>
      ctx.race('first', {
        person: (c) => c.ask('sure', { question: 'sure?' }),
        clock: (c) => c.sleep('patience', 20).then(() => 'too late'),
      }),
    )
    const asked: number[] = []
    const run = await finish(
      testDevice([agent]),
      agent,
      async (one) => void asked.push(one.view()?.asks.length ?? 0),
    )
    expect(run.view()?.state).toEqual({ got: { name: 'clock', value: 'too late' } })
    expect(asked).toContain(1)
    expect(asked.at(-1)).toBe(0)
  })

  it.each(['person', 'openai/gpt', '50% off'])(
    'takes no answer to a question of the loser %j, while the turn goes on',
    async (loser) => {
      const agent = oneTurn(async (ctx) => {
        await ctx.race('first', {
          [loser]: (c) => c.ask('sure', { question: 'sure?' }),
          clock: (c) => c.sleep('patience', 20),
        })
        return ctx.ask('and now', { question: 'what else?' })
      })
      const runtime = await testDevice([agent]).open()
      const run = await handleOf(runtime, await runtime.start('race', null))
      const before = await run.until(({ asks }) => asks.length === 1)
      const after = await run.until(({ asks }) => asks.some(({ path }) => path === '0/and now'))
      expect(after.asks.map(({ path }) => path)).toEqual(['0/and now'])
      await expect(run.answer(before.asks[0]?.ask ?? '', true)).rejects.toMatchObject({
        code: 'ask_unknown',
      })
      await runtime.close()
    },
  )

  it('comes to the same end when killed after any entry, nested and with work of losers in between', async () => {
    await crashEverywhere((ran) =>
      oneTurn(async (ctx) => {
        const step = (c: typeof ctx, path: string, ms: number): Promise<number> =>
          c.step(path.slice(path.lastIndexOf('/') + 1), async ({ signal }) => {
            ran(path)
            await Promise.race([untilStopped(signal), pause(ms)])
            return ms
          })
        const won = await ctx.race('outer', {
          a: async (c) => {
            const inner = await c.race('inner', {
              x: async (d) =>
                (await step(d, '0/outer/a/inner/x/one', 1)) + (await step(d, '0/outer/a/inner/x/two', 1)),
              y: async (d) =>
                (await step(d, '0/outer/a/inner/y/one', 0)) +
                (await step(d, '0/outer/a/inner/y/never', 60_000)),
            })
            return [inner.name, inner.value, await step(c, '0/outer/a/then', 5)]
          },
          b: async (c) => {
            for (let n = 0; n < 3; n += 1) await step(c, `0/outer/b/s${String(n)}`, n * 2)
            await step(c, '0/outer/b/never', 60_000)
            return ['b']
          },
        })
        return won
      }),
    )
  })

  it.each(['slow', 'openai/gpt'])(
    'does not ask again what the loser %j had asked when code no longer calls it',
    async (loser) => {
      const agent = (withLoserStep: boolean): AnyAgent =>
        oneTurn(async (ctx) => {
          const { name } = await ctx.race('first', {
            quick: async (c) => (await c.step('one', () => 1)) + (await c.step('two', () => pause(8))),
            [loser]: async (c: typeof ctx) => {
              if (withLoserStep) await c.step('early', () => 1)
              return c.step('long', ({ signal }) => untilStopped(signal))
            },
          })
          return [name, await ctx.step('after', () => 2)]
        })
      const source = testDevice([agent(true)])
      await finish(source, agent(true), nobody)
      const lines = await source.store.read('run' as never, 0)
      const device = await crashedAfter(agent(false), lines.slice(0, -1), source)
      const resumed = await finish(device, agent(false), nobody)
      expect(resumed.view()?.state).toEqual({ got: ['quick', 2] })
    },
  )
})

describe('any()', () => {
  it('gives the first branch that succeeds', async () => {
    const got = await stateOf(
      oneTurn((ctx) =>
        ctx.any('mirror', {
          broken: (c) => c.step('get', { attempts: 1 }, () => Promise.reject(new Error('down'))),
          works: (c) => c.step('get', () => 'page'),
        }),
      ),
    )
    expect(got).toEqual({ name: 'works', value: 'page' })
  })

  it('rejects with every error when all fail', async () => {
    const got = await stateOf(
      oneTurn((ctx) =>
        ctx
          .any('mirror', {
            one: (c) => c.step('get', { attempts: 1 }, () => Promise.reject(new Error('1'))),
            two: (c) => c.step('get', { attempts: 1 }, () => Promise.reject(new Error('2'))),
          })
          .catch((error: unknown) => (error as AggregateError).errors.map((one: Error) => one.message)),
      ),
    )
    expect(got).toEqual(['1', '2'])
  })
})

describe('allSettled()', () => {
  it('tells of every branch how it ended', async () => {
    const got = await stateOf(
      oneTurn(async (ctx) => {
        const { good, bad } = await ctx.allSettled('both', {
          good: (c) => c.step('x', () => 1),
          bad: (c) => c.step('x', { attempts: 1 }, () => Promise.reject(new Error('no'))),
        })
        return [good.status, good.status === 'fulfilled' && good.value, bad.status]
      }),
    )
    expect(got).toEqual(['fulfilled', 1, 'rejected'])
  })
})

describe('scope()', () => {
  it('gives names by counting to code that has none, the same ones after a crash', async () => {
    await crashEverywhere((ran) =>
      oneTurn((ctx) =>
        ctx.scope('chat', { sequential: true }, async (c) => {
          const texts: string[] = []
          for (let round = 0; round < 3; round += 1) {
            const name = c.numbered('model')
            texts.push(await c.step(name, () => (ran(`0/chat/${name}`), `answer ${String(round)}`)))
          }
          return texts
        }),
      ),
    )
  })

  it('refuses a number while the one before is open', async () => {
    const agent = oneTurn((ctx) =>
      ctx.scope('chat', { sequential: true }, async (c) => {
        const first = c.step(c.numbered('model'), () => 1)
        try {
          c.numbered('model')
        } finally {
          await first
        }
        return 0
      }),
    )
    const run = await finish(testDevice([agent]), agent, nobody)
    expect(run.view()?.error?.code).toBe('scope_busy')
  })
})

const text = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => ({ value: String(value) }),
  },
}

describe('drain() and label()', () => {
  it('gives all that waits to the first of two branches that drain, in its order', async () => {
    const agent = defineAgent({
      name: 'drainers',
      version: 1,
      inbox: { hint: text, go: text },
      initial: () => ({ got: undefined as unknown }),
      async turn(ctx, state) {
        await ctx.receive('go')
        state.got = await ctx.all('both', { a: (c) => c.drain('hint'), b: (c) => c.drain('hint') })
        return done()
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('drainers', null, {}))
    for (const hint of ['1', '2', '3', '4']) await run.send('hint', hint)
    await run.send('go', '')
    const { state } = await run.until(({ status }) => status === 'done')
    expect(state).toEqual({ got: { a: ['1', '2', '3', '4'], b: [] } })
    await runtime.close()
  })

  it('takes what waits, once, also none, and marks checkpoints, the same after a crash', async () => {
    await crashEverywhere(
      () =>
        defineAgent({
          name: 'drainer',
          version: 1,
          inbox: { hint: text },
          initial: () => ({ hints: [] as string[] }),
          async turn(ctx, state) {
            const none = await ctx.drain('hint', { key: 'before' })
            await ctx.label('asked')
            const first = await ctx.receive('hint')
            const rest = await ctx.drain('hint', { key: 'rest' })
            state.hints = [...none, first, ...rest]
            return done()
          },
        }),
      async (run) => {
        if (!run.view()?.live.calls.some(({ waits }) => waits?.for === 'message')) return
        await run.send('hint', 'one', { id: 'hint-1' })
      },
    )
  })
})
