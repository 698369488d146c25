import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { encodeValue } from '../state/codec.ts'
import type { RunId } from '../ids.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'
import type { Runtime } from './runtime.ts'

/** An agent that calls one step a turn, up to a number of them, each of which costs so much. */
function worker(options: { readonly upTo: number; readonly costs?: number; readonly budget?: object }) {
  const ran: number[] = []
  const agent = defineAgent({
    name: 'worker',
    version: 1,
    budget: options.budget ?? {},
    initial: () => ({ sum: 0 }),
    async turn(ctx, state) {
      state.sum += await ctx.step('add', ({ cost }) => {
        ran.push(ctx.turn)
        cost(options.costs ?? 0)
        return 1
      })
      return state.sum < options.upTo ? next() : done(state.sum)
    },
  })
  return { agent, ran }
}

async function started(runtime: Runtime, name: string, options = {}): Promise<RunHandle> {
  return handleOf(runtime, await runtime.start(name, encodeValue(undefined), options))
}

const paused = (run: RunHandle) => run.until(({ status }) => status === 'paused')

describe('a budget', () => {
  it('of steps lets so many be done, then pauses and says so; a retry allows as much again', async () => {
    const { agent, ran } = worker({ upTo: 7, budget: { steps: 3 } })
    const runtime = await testDevice([agent]).open()
    const run = await started(runtime, 'worker')
    const view = await paused(run)
    expect(ran).toEqual([0, 1, 2])
    expect(view.pause).toMatchObject({
      reason: 'budget',
      actions: expect.arrayContaining(['retry', 'fork', 'cancel']),
    })
    expect(view.error).toMatchObject({
      code: 'budget_spent',
      run: run.id,
      details: { limit: 'steps', expected: 3, found: 3 },
    })
    expect(view.budget).toMatchObject({ limits: { steps: 3 }, used: { steps: 3 }, total: { steps: 3 } })
    await run.retry()
    const again = await run.until(({ budget, status }) => status === 'paused' && budget?.total.steps === 6)
    expect(again.budget?.used.steps).toBe(3)
    await run.retry({ budget: { steps: 20 } })
    expect(await run.result()).toBe(7)
    expect(run.view()?.budget).toMatchObject({
      limits: { steps: 20 },
      used: { steps: 1 },
      total: { steps: 7 },
    })
    expect(run.entries().flatMap((entry) => (entry.kind === 'retry' ? [entry.body.budget] : []))).toEqual([
      { steps: 3 },
      { steps: 20 },
    ])
    await runtime.close()
  })

  it('that is used up to the last step lets the run end', async () => {
    const { agent } = worker({ upTo: 3, budget: { steps: 3 } })
    const runtime = await testDevice([agent]).open()
    expect(await (await started(runtime, 'worker')).result()).toBe(3)
    await runtime.close()
  })

  it('of a start goes before that of the agent, limit by limit', async () => {
    const { agent, ran } = worker({ upTo: 9, costs: 1, budget: { steps: 3, cost: 5 } })
    const runtime = await testDevice([agent]).open()
    const run = await started(runtime, 'worker', { budget: { steps: 100 } })
    const view = await paused(run)
    expect(ran).toHaveLength(5)
    expect(view.error?.details).toEqual({ limit: 'cost', expected: 5, found: 5 })
    await runtime.close()
  })

  it('is kept to exactly by steps beside each other, and what has begun is finished', async () => {
    const begun = new Set<string>()
    const agent = defineAgent({
      name: 'wide',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const items = Array.from({ length: 12 }, (_, index) => String(index))
        const results = await ctx.map('each', items, { key: (item) => item, concurrency: 8 }, (inner, item) =>
          inner.step('work', async () => {
            begun.add(item)
            await testClock.task()
            return 1
          }),
        )
        return done(results.length)
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await started(runtime, 'wide', { budget: { steps: 5 } })
    const view = await paused(run)
    expect(begun.size).toBe(5)
    expect(view.budget?.used.steps).toBe(5)
    expect(run.entries().filter(({ kind }) => kind === 'step')).toHaveLength(5)
    await run.retry({ budget: { steps: 50 } })
    expect(await run.result()).toBe(12)
    expect(run.entries().filter(({ kind }) => kind === 'step')).toHaveLength(12)
    await runtime.close()
  })

  it('of time counts bodies beside each other once, and no waiting', async () => {
    let now = 1_000
    const clock = { ...testClock, now: () => now }
    const agent = defineAgent({
      name: 'slow',
      version: 1,
      budget: { time: '10s' },
      initial: () => ({ turns: 0 }),
      async turn(ctx, state) {
        const both = { a: 0, b: 0 }
        let release: () => void = () => undefined
        const met = new Promise<void>((resolve) => (release = resolve))
        const body = (name: 'a' | 'b') => async () => {
          both[name] = 1
          if (both.a + both.b < 2) return await met
          now += 4_000
          release()
        }
        await ctx.all('both', { a: (c) => c.step('work', body('a')), b: (c) => c.step('work', body('b')) })
        await ctx.ask('go on?', { question: null })
        state.turns += 1
        return next()
      },
    })
    const runtime = await testDevice([agent], { clock }).open()
    const run = await started(runtime, 'slow')
    for (let turn = 0; turn < 3; turn += 1) {
      const asked = await run.until((view) => view.turn === turn && view.asks.length === 1)
      now += 3_600_000
      await run.answer(asked.asks[0]?.ask ?? '', null)
    }
    const view = await paused(run)
    expect(view.budget?.used).toMatchObject({ steps: 6, ms: 12_000 })
    expect(view.error?.details).toEqual({ limit: 'time', expected: 10_000, found: 12_000 })
    await runtime.close()
  })

  it('counts what was reported once, over tries, a crash and a replay', async () => {
    let tries = 0
    let release: () => void = () => undefined
    const agent = defineAgent({
      name: 'buyer',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.step('flaky', { backoff: 1 }, ({ cost }) => {
          cost(0.5)
          cost(0.25)
          tries += 1
          if (tries < 3) throw new Error('again')
        })
        await ctx.once('pay', { timeout: '1m' }, ({ cost }) => cost(2))
        await ctx.step('wait', () => new Promise<void>((resolve) => (release = resolve)))
        return done()
      },
    })
    const device = testDevice([agent])
    const before = await device.open()
    const run = await started(before, 'buyer', { id: 'run' })
    await run.until(({ live }) => live.calls.some(({ path }) => path === '0/wait'))
    await before.close()
    release()
    const after = await device.open()
    const again = await handleOf(after, 'run')
    await again.until(({ live }) => live.calls.some(({ path }) => path === '0/wait'))
    release()
    await again.result()
    expect(again.view()?.budget?.total).toMatchObject({ steps: 3, cost: 4.25 })
    expect(again.entries().flatMap((entry) => (entry.kind === 'step' ? [entry.body.cost] : []))).toEqual([
      2.25,
      undefined,
    ])
    await after.close()
  })

  it('counts what the losers of a race have reported', async () => {
    const agent = defineAgent({
      name: 'racer',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const won = await ctx.race('both', {
          slow: (c) =>
            c.step('ask', async ({ cost, signal }) => {
              cost(3)
              await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
            }),
          fast: (c) => c.step('ask', ({ cost }) => cost(1)),
        })
        return done(won.name)
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await started(runtime, 'racer')
    expect(await run.result()).toBe('fast')
    expect(run.view()?.budget?.total).toMatchObject({ steps: 1, cost: 4 })
    await runtime.close()
  })

  it('never leaves an effect in the middle: one that has begun is found out about', async () => {
    let fails = true
    const agent = defineAgent({
      name: 'payer',
      version: 1,
      budget: { cost: 1 },
      initial: () => ({}),
      async turn(ctx) {
        const pay = {
          timeout: '1m',
          verify: async () => ({ done: true as const, value: 'verified' }),
        } as const
        const paid = await ctx.all('both', {
          pay: (c) =>
            c.once('pay', pay, async () => {
              if (fails) await new Promise<never>(() => undefined)
              return 'paid'
            }),
          spend: (c) => c.step('spend', ({ cost }) => cost(5)),
        })
        await ctx.step('after', () => undefined)
        return done(paid.pay)
      },
    })
    let now = 0
    const device = testDevice([agent], { clock: { ...testClock, now: () => now } })
    const before = await device.open()
    const run = await started(before, 'payer', { id: 'run' })
    await run.until(({ budget }) => budget?.total.cost === 5)
    expect(run.view()?.status).toBe('running')
    await before.close()
    fails = false
    now += 3_600_000
    const after = await device.open()
    const again = await handleOf(after, 'run')
    await paused(again)
    expect(again.entries().filter(({ kind }) => kind === 'once')).toHaveLength(1)
    expect(again.view()?.error?.code).toBe('budget_spent')
    await again.retry()
    expect(await again.result()).toBe('verified')
    await after.close()
  })

  it('is not used by an effect that somebody has to decide about: the others have its place', async () => {
    const agent = defineAgent({
      name: 'payer',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const paid = await ctx.all('both', {
          pay: (c) => c.once('pay', { timeout: '1m' }, () => new Promise<string>(() => undefined)),
          work: (c) => c.step('work', () => 'worked'),
        })
        return done(paid)
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await started(runtime, 'payer')
    await run.until(() => run.entries().some(({ kind }) => kind === 'step'))
    const fork = await handleOf(runtime, await run.fork({ seq: 0, budget: { steps: 1 } }))
    const { error } = await paused(fork)
    expect(error?.code).toBe('outcome_unknown')
    const details = error?.details as { readonly start: string }
    expect(fork.entries().filter(({ kind }) => kind === 'step')).toHaveLength(1)
    await fork.decide(details.start, { type: 'done', value: 'paid' })
    await fork.until((view) => view.error?.code === 'budget_spent')
    await fork.retry()
    expect(await fork.result()).toEqual({ pay: 'paid', work: 'worked' })
    await runtime.close()
  })

  it('goes along to another owner, and a retry from elsewhere allows more', async () => {
    const { agent, ran } = worker({ upTo: 8, budget: { steps: 5 } })
    const edge = memoryEdge({ clock: testClock, agents: [agent], ownerAlive: () => false })
    const laptop = await testDevice([agent], { edge }).open()
    const run = await started(laptop, 'worker', { id: 'run' })
    await paused(run)
    await run.synced()
    const phone = await testDevice([agent], { edge, name: 'phone' }).open()
    const there = await handleOf(phone, 'run')
    await there.move('here')
    expect(there.view()?.budget?.used.steps).toBe(5)
    await run.until(({ owner }) => owner === 'phone')
    await run.retry({ budget: { steps: 50 } })
    expect(await there.result()).toBe(8)
    expect(ran).toHaveLength(8)
    await laptop.close()
    await phone.close()
  })

  it('is what its checkpoint had left in a fork and an import, and is not given back by a rewind', async () => {
    const { agent, ran } = worker({ upTo: 9, costs: 1, budget: { cost: 4 } })
    const runtime = await testDevice([agent]).open()
    const run = await started(runtime, 'worker', { id: 'run' })
    await paused(run)
    const second = run.entries().filter(({ kind }) => kind === 'commit')[1]?.seq ?? 0

    const fork = await handleOf(runtime, await run.fork({ seq: second }))
    expect((await paused(fork)).budget).toMatchObject({ used: { cost: 4 }, total: { cost: 4 } })
    expect(ran).toHaveLength(6)
    const freer = await handleOf(runtime, await run.fork({ seq: second, budget: { cost: 6 } }))
    expect((await paused(freer)).budget).toMatchObject({ used: { cost: 6 }, total: { cost: 8 } })

    const lines: string[] = []
    for await (const line of run.export().lines()) lines.push(line)
    const imported = await handleOf(runtime, await runtime.importRun('imported' as RunId, lines))
    expect(imported.view()?.budget).toEqual(run.view()?.budget)

    await run.rewind({ seq: second })
    const back = await run.until(
      ({ status, turn, head }) => status === 'paused' && turn === 2 && head.seq > second,
    )
    expect(back.budget?.used.cost).toBe(4)
    await runtime.close()
  })

  it('is the same when the run is read from a snapshot', async () => {
    const { agent } = worker({ upTo: 1_000, costs: 0.5, budget: { cost: 200 } })
    const device = testDevice([agent])
    const before = await device.open()
    const run = await started(before, 'worker', { id: 'run' })
    const { budget } = await paused(run)
    while (!run.entries().some(({ kind }) => kind === 'snapshot')) await testClock.task()
    await before.close()
    const after = await device.open()
    const again = await handleOf(after, 'run')
    expect(again.entries()[0]?.seq).toBeGreaterThan(0)
    expect(again.view()?.budget).toEqual(budget)
    await after.close()
  })

  it.for([
    [{ steps: 0 }, 'steps'],
    [{ steps: 1.5 }, 'steps'],
    [{ cost: -1 }, 'cost'],
    [{ cost: Infinity }, 'cost'],
    [{ time: 0 }, 'time'],
  ] as const)('of %j is refused, naming its limit', async ([budget, name]) => {
    expect(() => worker({ upTo: 1, budget })).toThrow(
      expect.objectContaining({ code: 'input_refused', message: expect.stringContaining(`\`${name}\``) }),
    )
  })

  it('takes no cost below 0: the step fails, and says so', async () => {
    const { agent } = worker({ upTo: 1, costs: -1 })
    const runtime = await testDevice([agent]).open()
    const view = await paused(await started(runtime, 'worker'))
    expect(view.error).toMatchObject({ code: 'input_refused', path: '0/add' })
    await runtime.close()
  })
})
