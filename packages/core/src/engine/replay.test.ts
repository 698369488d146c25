import { describe, expect, it } from 'vitest'
import { handleOf, hastyClock, testClock, testDevice } from '../runtime/memory-world.test-support.ts'
import type { RunHandle } from '../runtime/run-handle.ts'
import { defineAgent, done, need, next, type AnyAgent } from './agent.ts'
import { crashEverywhere, crashedAfter, finish } from './crash.test-support.ts'
import type { Ctx, Schema } from './ctx.ts'

const text: Schema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (typeof value === 'string' ? { value } : { issues: [{ message: 'not a text' }] }),
  },
}

describe('a run killed after any of its entries comes to the same end', () => {
  it('with steps, loops and several turns', async () => {
    await crashEverywhere((ran) =>
      defineAgent({
        name: 'loop',
        version: 1,
        initial: () => ({ sum: 0, turns: 0 }),
        async turn(ctx, state) {
          let sum = 0
          for (let at = 0; at < 3; at += 1)
            sum += await ctx.step(
              `add-${String(at)}`,
              () => (ran(`${String(ctx.turn)}/add-${String(at)}`), at),
            )
          state.sum += sum
          state.turns += 1
          return state.turns < 3 ? next() : done(state.sum)
        },
      }),
    )
  })

  it('with branches that observe the order in which others end', async () => {
    await crashEverywhere((ran) =>
      defineAgent({
        name: 'order',
        version: 1,
        initial: () => ({ order: [] as string[], seen: [] as string[] }),
        async turn(ctx, state) {
          const order: string[] = []
          // In this order each ends, however fast the machine is: the body of one ends when the turn has seen the one before.
          const ends = ['quick', 'middle', 'slow', 'quick again', 'middle again', 'slow again']
          const seen = ends.map(() => Promise.withResolvers<void>())
          const untilTurnOf = (what: string) => seen[ends.indexOf(what) - 1]?.promise
          const see = (what: string): void => {
            order.push(what)
            seen[ends.indexOf(what)]?.resolve()
          }
          const hops = { slow: 0, quick: 11, middle: 6 }
          await ctx.all(
            'race',
            Object.fromEntries(
              Object.entries(hops).map(([name, count]) => [
                name,
                async (c: typeof ctx) => {
                  await c.step('first', async () => {
                    await untilTurnOf(name)
                    ran(`0/race/${name}/first`)
                  })
                  // A branch may take its time, in microtasks, to notice: the others must not overtake it on replay.
                  for (let hop = 0; hop < count; hop += 1) await Promise.resolve()
                  see(name)
                  // What a branch does depends on who was there before it.
                  await c.step(`after-${String(order.length)}`, async () => {
                    ran(`0/race/${name}/after-${String(order.length)}`)
                    await untilTurnOf(`${name} again`)
                  })
                  see(`${name} again`)
                },
              ]),
            ),
          )
          state.order.push(...order)
          return done(order)
        },
      }),
    )
  })

  it('with a map that works on some items at a time', async () => {
    const calls = await crashEverywhere((ran) =>
      defineAgent({
        name: 'mapper',
        version: 1,
        initial: () => ({ doubled: [] as number[] }),
        async turn(ctx, state) {
          const doubled = await ctx.map(
            'double',
            [1, 2, 3, 4, 5],
            { key: (item) => String(item), concurrency: 2 },
            (c, item) => c.step('one', () => (ran(`0/double/${String(item)}/one`), item * 2)),
          )
          state.doubled = doubled
          return done(doubled.length)
        },
      }),
    )
    expect(new Set(calls).size).toBe(5)
  })

  it('with questions, messages, sleep, a stream, an artifact and an effect of class once', async () => {
    const outside = new Set<string>()
    await crashEverywhere(
      (ran) =>
        defineAgent({
          name: 'everything',
          version: 1,
          inbox: { hint: text },
          initial: () => ({ parts: [] as unknown[] }),
          async turn(ctx, state) {
            const hint = await ctx.receive('hint')
            const words = await ctx.stream('words', async ({ out }) => {
              for (const word of ['a ', 'b ', 'c'].slice(out.text.split(' ').filter(Boolean).length))
                await out.write(word)
              return out.text
            })
            await ctx.sleep('nap', 5)
            const answer = await ctx.ask<string>('sure', { question: { words }, schema: text })
            const paid = await ctx.once(
              'pay',
              {
                timeout: 20,
                verify: async ({ idempotencyKey }) => {
                  return outside.has(idempotencyKey) ? { done: true, value: 'paid' } : { done: false }
                },
              },
              ({ idempotencyKey }) => {
                ran('0/pay')
                outside.add(idempotencyKey)
                return 'paid'
              },
            )
            const file = await ctx.artifact('brief.md', `# ${words}`, { type: 'text/markdown' })
            state.parts.push(hint, words, answer.status, paid, file.hash)
            return done(file.bytes)
          },
        }),
      async (run) => {
        const view = run.view()
        for (const { ask } of view?.asks ?? [])
          await run.answer(ask, 'yes', { id: `answer-${ask}`, by: 'me' })
        if (view?.live.calls.some(({ waits }) => waits?.for === 'message'))
          await run.send('hint', 'look there', { id: 'hint-1' })
      },
    )
  })

  it('with a failing step that the turn catches', async () => {
    await crashEverywhere((ran) =>
      defineAgent({
        name: 'catcher',
        version: 1,
        initial: () => ({ error: '', after: 0 }),
        async turn(ctx, state) {
          let message = ''
          try {
            await ctx.step('fails', { attempts: 1 }, () => {
              ran('0/fails')
              throw new TypeError('not today')
            })
          } catch (error) {
            message = error instanceof Error ? error.message : ''
          }
          const after = await ctx.step('after', () => (ran('0/after'), 2))
          state.error = message
          state.after = after
          return done(message)
        },
      }),
    )
  })
})

/** Finishes a run under other code than it began with: from the log of `before` cut after `kept` entries. */
async function underOtherCode(before: AnyAgent, after: AnyAgent, kept: number): Promise<RunHandle> {
  const source = testDevice([before])
  await finish(source, before, async () => undefined)
  const lines = await source.store.read('run' as never, 0)
  const device = await crashedAfter(after, lines.slice(0, kept), source, hastyClock)
  return finish(device, after, async () => undefined)
}

describe('other code than the turn began with', () => {
  const agent = (turn: Parameters<typeof defineAgent<null, { sum: number }>>[0]['turn']): AnyAgent =>
    defineAgent({ name: 'skew', version: 1, initial: (input: null) => ({ sum: input ?? 0 }), turn })
  const before = agent(async (ctx, state) => {
    const one = await ctx.step('one', { input: 'first' }, () => 1)
    const two = await ctx.step('two', () => 2)
    state.sum = one + two
    return done(state.sum)
  })
  let ran: string[] = []
  const cases: Record<string, readonly [AnyAgent, string]> = {
    'a step added before': [
      agent(async (ctx, state) => {
        await ctx.step('zero', () => (ran.push('zero'), 0))
        state.sum = await ctx.step('one', { input: 'first' }, () => (ran.push('one'), 1))
        return done(state.sum)
      }),
      '0/one',
    ],
    'a step renamed': [
      agent(async (ctx, state) => {
        state.sum = await ctx.step('uno', { input: 'first' }, () => (ran.push('uno'), 1))
        return done(state.sum)
      }),
      '0/one',
    ],
    'a step removed': [agent(async () => done(0)), '0/one'],
    'its kind changed': [
      agent(async (ctx) => {
        await ctx.sleep('one', 1)
        return done(0)
      }),
      '0/one',
    ],
    'asked for with another input': [
      agent(async (ctx) => {
        await ctx.step('one', { input: 'second' }, () => (ran.push('one'), 1))
        return done(0)
      }),
      '0/one',
    ],
  }
  for (const [name, [after, path]] of Object.entries(cases)) {
    it(`${name}: pauses, runs nothing, and names the first difference`, async () => {
      ran = []
      const run = await underOtherCode(before, after, 3)
      const view = run.view()
      expect(view?.status).toBe('paused')
      expect(view?.pause?.reason).toBe('divergence')
      expect(view?.error?.code).toBe('divergence')
      expect(view?.error?.message).toContain(path)
      expect(ran).toEqual([])
    })
  }
})

/** A state of what a draft hands out as copies. */
interface Leaves {
  readonly map: Map<string, number>
  readonly before: Map<string, number>
  readonly set: Set<string>
  readonly date: Date
  readonly bytes: Uint8Array
}

describe('the rules of a turn', () => {
  const runOnce = async (
    turn: Parameters<typeof defineAgent<null, { log: unknown[] }>>[0]['turn'],
  ): Promise<RunHandle> => {
    const agent = defineAgent({
      name: 'rules',
      version: 1,
      initial: (input: null) => ({ log: input === null ? ([] as unknown[]) : [] }),
      turn,
    })
    return finish(testDevice([agent]), agent, async () => undefined)
  }
  const codeOf = (run: RunHandle): string | undefined => run.view()?.error?.code

  it('the same key twice in a scope is refused', async () => {
    const run = await runOnce(async (ctx) => {
      await ctx.step('twice', () => 1)
      await ctx.step('twice', () => 2)
      return done()
    })
    expect(codeOf(run)).toBe('key_taken')
  })

  it('a parent refuses steps while its branches are open', async () => {
    const run = await runOnce(async (ctx) => {
      await ctx.all('both', { a: (c) => c.step('x', () => 1), b: () => ctx.step('y', () => 2) })
      return done()
    })
    expect(codeOf(run)).toBe('scope_busy')
  })

  it('a turn that returns with a call open pauses and names it', async () => {
    const run = await runOnce(async (ctx) => {
      void ctx.step('forgotten', () => new Promise(() => undefined))
      return done()
    })
    expect(codeOf(run)).toBe('call_open')
    expect(run.view()?.error?.path).toBe('0/forgotten')
  })

  it.each<[string, (ctx: Ctx, branch: (c: Ctx) => Promise<void>) => Promise<unknown>]>([
    ['all', (ctx, branch) => ctx.all('in', { a: branch, b: (c) => c.step('b', () => 1) })],
    ['map', (ctx, branch) => ctx.map('in', ['a'], { key: String }, branch)],
    ['scope', (ctx, branch) => ctx.scope('in', (c) => c.scope('a', branch))],
  ])('a branch of %s that returns with a call open pauses and names it', async (_, call) => {
    const run = await runOnce(async (ctx) => {
      await call(ctx as Ctx, async (c) => {
        void c.step('forgotten', () => new Promise(() => undefined))
      })
      return done()
    })
    expect(codeOf(run)).toBe('call_open')
    expect(run.view()?.error?.path).toBe('0/in/a/forgotten')
  })

  it('the state cannot be written while a call is open', async () => {
    const run = await runOnce(async (ctx, state) => {
      const open = ctx.step('open', () => 1)
      state.log.push('too early')
      await open
      return done()
    })
    expect(codeOf(run)).toBe('state_locked')
  })

  const leaves: [string, (state: Leaves) => void][] = [
    ['map', ({ map }) => map.set('late', 1)],
    ['set', ({ set }) => set.add('late')],
    ['date', ({ date }) => date.setTime(0)],
    ['bytes', ({ bytes }) => bytes.fill(1)],
    ['map', ({ before }) => before.set('late', 1)],
  ]
  it.each(
    ['beside a step', 'in a branch', 'nowhere'].flatMap((where) =>
      leaves.map(([kind, write]) => [where, kind, write] as const),
    ),
  )('what no guard sees is not written %s, in development: a %s', async (where, kind, write) => {
    const initial = (): Leaves => ({
      map: new Map(),
      set: new Set(),
      date: new Date(1),
      bytes: new Uint8Array(2),
      before: new Map(),
    })
    const agent = defineAgent({
      name: 'leaves',
      version: 1,
      initial,
      async turn(ctx, state) {
        state.before.set('early', 1)
        const open = ctx.step('open', () => 1)
        if (where === 'beside a step') write(state)
        await open
        state.map.set('between', 1)
        await ctx.all('both', {
          a: async (c) => {
            await c.step('a', () => 2)
            if (where === 'in a branch') write(state)
          },
          b: (c) => c.step('b', () => 3),
        })
        state.map.set('after', 1)
        if (where === 'nowhere') write(state)
        return done()
      },
    })
    const run = await finish(testDevice([agent], { development: true }), agent, async () => undefined)
    expect(run.view()?.status).toBe(where === 'nowhere' ? 'done' : 'paused')
    if (where === 'nowhere') return
    expect(codeOf(run)).toBe('state_locked')
    expect(run.view()?.error?.message).toContain(`the kind ${kind} in the state`)
  })

  it('a call that waits stops none of its siblings, and never settles by itself', async () => {
    const settled: string[] = []
    const ended: string[] = []
    const agent = defineAgent({
      name: 'parker',
      version: 1,
      needs: { far: need<() => number>({ at: 'edge' }) },
      initial: () => ({}),
      async turn(ctx) {
        await ctx.all('both', {
          near: async (c) => {
            for (const name of ['a', 'b', 'c']) await c.step(name, () => void ended.push(name))
          },
          far: (c) =>
            c.step('there', { needs: ['far'] }, () => ctx.use.far()).finally(() => void settled.push('far')),
        })
        return done()
      },
    })
    const device = testDevice([agent])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('parker', null, { id: 'run' }))
    const { live } = await run.until(({ status }) => status === 'waiting')
    expect(live.calls).toMatchObject([
      { path: '0/both/far/there', waits: { for: 'place', need: 'far', at: 'edge' } },
    ])
    expect(ended).toEqual(['a', 'b', 'c'])
    await runtime.close()
    expect(settled).toEqual([])
  })

  it('what an attempt does once it was given up counts for nothing', async () => {
    let resume: () => void = () => undefined
    const late: string[] = []
    const agent = defineAgent({
      name: 'late',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        ctx.signal.addEventListener('abort', () => late.push('signal'))
        await ctx.step('slow', () => new Promise<void>((resolve) => (resume = resolve)))
        late.push('went on')
        return done()
      },
    })
    const device = testDevice([agent])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('late', null, { id: 'run' }))
    await run.until(({ live }) => live.calls.some(({ path }) => path === '0/slow'))
    const before = await device.store.read('run' as never, 0)
    await runtime.close()
    resume()
    await testClock.task()
    await testClock.task()
    expect(late).toEqual(['signal'])
    expect(await device.store.read('run' as never, 0)).toEqual(before)
  })

  it('what a step returns is what its record says, the first time too', async () => {
    const run = await runOnce(async (ctx, state) => {
      const shared = { when: new Date(5) }
      const value = await ctx.step('make', () => ({ one: shared, two: shared }))
      state.log.push(
        value.one === value.two,
        value.one.when.getTime(),
        Object.getPrototypeOf(value) === Object.prototype,
      )
      return done()
    })
    expect(run.view()?.state).toEqual({ log: [false, 5, true] })
  })

  it('a result that cannot be kept fails the step, with the path to it', async () => {
    const run = await runOnce(async (ctx) => {
      await ctx.step('make', () => ({ deep: { call: () => 1 } }))
      return done()
    })
    expect(codeOf(run)).toBe('value_refused')
    expect(run.view()?.error?.message).toContain('deep.call')
  })

  it('a map rejects when all of its branches have ended, with the error that came first', async () => {
    const ended: string[] = []
    const run = await runOnce(async (ctx) => {
      await ctx.map('each', ['a', 'b', 'c'], { key: (item) => item }, (c, item) =>
        c.step('x', { attempts: 1 }, async () => {
          await new Promise((resolve) => setTimeout(resolve, item === 'b' ? 1 : 10))
          ended.push(item)
          if (item === 'b') throw new Error('b failed')
          return item
        }),
      )
      return done()
    })
    expect(run.view()?.error?.message).toBe('b failed')
    expect(ended.sort()).toEqual(['a', 'b', 'c'])
  })
})
