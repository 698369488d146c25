import { describe, expect, it } from 'vitest'
import { defineAgent, done, next, type AnyAgent } from '../engine/agent.ts'
import type { UndoTools } from '../engine/ctx.ts'
import type { RunHandle } from './run-handle.ts'
import { handleOf, hastyClock, testDevice } from './memory-world.test-support.ts'

interface Trip {
  booked: string[]
}

/** Books two things in two turns, then waits. What is booked, and taken back, the outside sees. */
function traveller(outside: string[], broken: { undo?: boolean; gives?: unknown } = {}) {
  return defineAgent({
    name: 'traveller',
    version: 1,
    initial: (): Trip => ({ booked: [] }),
    async turn(ctx, state) {
      const what = ['hotel', 'flight'][ctx.turn]
      if (what === undefined) {
        await ctx.receive('news' as never)
        return done(state.booked.length)
      }
      const booking = await ctx.once(
        `book ${what}`,
        {
          timeout: '1s',
          undo: ({ value, idempotencyKey }: UndoTools<string>) => {
            if (broken.undo) throw new Error('the desk is closed')
            outside.push(`-${value} ${idempotencyKey.slice(0, 6)}`)
            return broken.gives
          },
        },
        ({ idempotencyKey }) => {
          outside.push(`+${what} ${idempotencyKey.slice(0, 6)}`)
          return what
        },
      )
      state.booked.push(booking)
      return next()
    },
  })
}

type Run = RunHandle<Trip>

async function waiting(
  agent: AnyAgent,
  options: Parameters<typeof testDevice>[1] = {},
): Promise<{ run: Run }> {
  const device = testDevice([agent], options)
  const runtime = await device.open()
  const run = await handleOf<Trip>(runtime, await runtime.start(agent.name, null, { id: 'trip' }))
  await run.until(({ status, turn }) => status === 'waiting' && turn === 2)
  return Object.assign({ run }, { runtime, device })
}

const isBack = (run: Pick<RunHandle, 'until' | 'entries'>): Promise<unknown> =>
  run.until(() => run.entries().some(({ kind }) => kind === 'rewind'))

/** Pays once, and does not hear what has come of it: a person says. */
function payer(undone: string[]) {
  return defineAgent({
    name: 'payer',
    version: 1,
    initial: () => ({ paid: '' }),
    async turn(ctx, state) {
      if (state.paid !== '') {
        await ctx.receive('news' as never)
        return done()
      }
      const undo = ({ value }: UndoTools<string>): void => void undone.push(value)
      state.paid = await ctx.once('pay', { timeout: '1s', undo }, () => new Promise<string>(() => undefined))
      return next()
    },
  })
}

/** The start of an effect that somebody has to decide about. */
const startOf = (error: { readonly details?: unknown } | undefined): string =>
  (error?.details as { readonly start: string } | undefined)?.start ?? ''

describe('cancel({ undo })', () => {
  it('takes back what was said to have happened only after the run had gone back before it', async () => {
    const undone: string[] = []
    const runtime = await testDevice([payer(undone)], { clock: hastyClock }).open()
    const run = await handleOf<{ paid: string }>(runtime, await runtime.start('payer', null, { id: 'pay' }))
    await run.until(({ status }) => status === 'paused')
    await run.rewind({ seq: 0 })
    await isBack(run)
    const { error } = await run.until(({ status }) => status === 'paused')
    await run.decide(startOf(error), { type: 'done', value: 'one euro' })
    await run.until(({ status, turn }) => status === 'waiting' && turn === 1)
    await run.cancel('not wanted', { undo: true })
    await run.until(({ status }) => status === 'cancelled')
    expect(undone).toEqual(['one euro'])
  })

  it('takes back once what was known before and was said again after a way back', async () => {
    const outside: string[] = []
    const { run } = await waiting(traveller(outside))
    await run.rewind({ seq: 0 })
    await isBack(run)
    for (const what of ['hotel', 'flight']) {
      const { error } = await run.until(({ error: now }) => now?.path?.includes(what) === true)
      await run.decide(startOf(error), { type: 'done', value: what })
    }
    await run.until(({ status, turn }) => status === 'waiting' && turn === 2)
    await run.cancel('no trip', { undo: true })
    await run.until(({ status }) => status === 'cancelled')
    expect(outside.map((line) => line.split(' ')[0])).toEqual(['+hotel', '+flight', '-flight', '-hotel'])
  })

  it('takes the effects back, newest first, each recorded, then ends the run', async () => {
    const outside: string[] = []
    const { run } = await waiting(traveller(outside))
    await run.cancel('no trip', { undo: true })
    await run.until(({ status }) => status === 'cancelled')
    const keys = outside.slice(0, 2).map((line) => line.slice(-6))
    expect(outside.slice(2)).toEqual([`-flight ${String(keys[1])}`, `-hotel ${String(keys[0])}`])
    expect(
      run
        .entries()
        .map(({ kind }) => kind)
        .slice(-4),
    ).toEqual(['unwind', 'undo', 'undo', 'cancel'])
    expect(run.view()?.reason).toBe('no trip')
  })

  it('pauses when an undo fails, and goes on where it was on retry', async () => {
    const outside: string[] = []
    const broken = { undo: true }
    const { run } = await waiting(traveller(outside, broken), { clock: hastyClock })
    await run.cancel('no trip', { undo: true })
    const paused = await run.until(({ status }) => status === 'paused')
    expect(paused.error?.message).toBe('the desk is closed')
    broken.undo = false
    await run.retry()
    await run.until(({ status }) => status === 'cancelled')
    expect(outside.filter((line) => line.startsWith('-'))).toHaveLength(2)
  })

  it('takes each effect back once when its undo gives what cannot be kept', async () => {
    const outside: string[] = []
    const { run } = await waiting(traveller(outside, { gives: new Response('taken back') }))
    await run.cancel('no trip', { undo: true })
    await run.until(({ status }) => status === 'cancelled' || status === 'paused')
    expect(run.view()?.status).toBe('cancelled')
    expect(outside.slice(2).map((line) => line.split(' ')[0])).toEqual(['-flight', '-hotel'])
  })

  it('comes to the same end when killed after any of its entries', async () => {
    const whole: string[] = []
    const agent = traveller(whole)
    const device = testDevice([agent])
    const runtime = await device.open()
    const run = await handleOf<Trip>(runtime, await runtime.start(agent.name, null, { id: 'trip' }))
    await run.until(({ status, turn }) => status === 'waiting' && turn === 2)
    await run.cancel('no trip', { undo: true })
    await run.until(({ status }) => status === 'cancelled')
    const lines = await device.store.read('trip' as never, 0)
    const first = run.entries().findIndex(({ kind }) => kind === 'unwind')
    for (let kept = first + 1; kept < lines.length; kept += 1) {
      const outside: string[] = []
      const again = testDevice([traveller(outside)])
      await again.store.append('trip' as never, {
        base: undefined,
        lines: lines.slice(0, kept),
        durability: 'relaxed',
      })
      const resumed = await handleOf<Trip>(await again.open(), 'trip')
      await resumed.until(({ status }) => status === 'cancelled')
      expect(outside, `killed after entry ${String(kept - 1)}`).toEqual(whole.slice(2 + kept - first - 1))
    }
  })
})

describe('rewind()', () => {
  it('brings the same run back, and what it does again has keys of its own', async () => {
    const outside: string[] = []
    const { run } = await waiting(traveller(outside))
    const afterHotel = run.entries().find(({ kind }) => kind === 'commit')?.seq ?? -1
    await run.rewind({ seq: afterHotel, undo: true })
    await isBack(run)
    const view = await run.until(({ status, turn }) => status === 'waiting' && turn === 2)
    expect(view.state).toEqual({ booked: ['hotel', 'flight'] })
    const [, flight, undone, again] = outside
    expect(undone).toBe(`-flight ${String(flight?.slice(-6))}`)
    expect(again).toMatch(/^\+flight /)
    expect(again).not.toBe(flight)
  })

  it('asks before it does again what was not undone', async () => {
    const outside: string[] = []
    const { run } = await waiting(traveller(outside))
    await run.rewind({ seq: 0 })
    await isBack(run)
    const paused = await run.until(({ status }) => status === 'paused')
    expect(paused.pause?.reason).toBe('outcome')
    expect(outside).toHaveLength(2)
    const { start } = (paused.error?.details ?? {}) as { start: string }
    await run.decide(start, { type: 'done', value: 'hotel' })
    await run.until(({ status, state }) => status === 'paused' && state.booked.length === 1)
    expect(outside).toHaveLength(2)
  })

  it.each([
    ['an edited state', 'boat'],
    ['a state that is larger than a message', 'boat'.repeat(50_000)],
  ])('goes on from %s, which is recorded', async (_, boat) => {
    const { run } = await waiting(traveller([]))
    const { seq } = run.view()?.head ?? { seq: 0 }
    await run.rewind({ seq, state: { booked: [boat] } })
    await isBack(run)
    await run.send('news', 1)
    expect(await run.result()).toBe(1)
    expect(run.view()?.state).toEqual({ booked: [boat] })
  })

  it('refuses a point that the log does not have, and leaves the run as it is', async () => {
    const { run } = await waiting(traveller([]))
    await run.rewind({ seq: 10_000 })
    await run.until(() => run.entries().some(({ kind }) => kind === 'refuse'))
    expect(run.view()?.state).toEqual({ booked: ['hotel', 'flight'] })
  })
})

describe('fork()', () => {
  it('leaves its source byte for byte as it was, also from inside a turn, with another state', async () => {
    const outside: string[] = []
    const agent = traveller(outside)
    const device = testDevice([agent])
    const runtime = await device.open()
    const source = await handleOf<Trip>(runtime, await runtime.start(agent.name, null, { id: 'trip' }))
    await source.until(({ status, turn }) => status === 'waiting' && turn === 2)
    const before = await device.store.read('trip' as never, 0)
    const inside = source.entries().find(({ kind }) => kind === 'once')?.seq ?? -1
    const forkOf = async (options: Parameters<Run['fork']>[0]): Promise<Run> =>
      handleOf<Trip>(runtime, await source.fork(options))

    const asItWas = await forkOf({ seq: inside })
    const flight = await asItWas.until(({ status }) => status === 'paused')
    expect(flight.state).toEqual({ booked: ['hotel'] })
    expect(flight.error?.path).toBe('1/book flight')

    const edited = await forkOf({ seq: inside, state: { booked: ['tent'] } })
    const hotel = await edited.until(({ status }) => status === 'paused')
    expect(hotel.state).toEqual({ booked: ['tent'] })
    expect(hotel.error?.path).toBe('0/book hotel')
    expect(outside).toHaveLength(2)
    expect(await device.store.read('trip' as never, 0)).toEqual(before)
  })

  it('begins with what `initial` makes of another input, and goes on with the state it has from later entries', async () => {
    const greeter = defineAgent({
      name: 'greeter',
      version: 1,
      initial: (name: string) => ({ name, greeted: 0 }),
      async turn(_, state) {
        state.greeted += 1
        return state.greeted < 2 ? next() : done(`hello ${state.name}`)
      },
    })
    const runtime = await testDevice([greeter]).open()
    const source = await handleOf(runtime, await runtime.start('greeter', 'ana', { id: 'greeting' }))
    expect(await source.result()).toBe('hello ana')
    const resultOf = async (options: Parameters<Run['fork']>[0]): Promise<unknown> => {
      const fork = await handleOf(runtime, await source.fork(options as never))
      const { result, input } = await fork.until(({ status }) => status === 'done')
      return [result, input]
    }
    expect(await resultOf({ seq: 0, input: 'bo' })).toEqual(['hello bo', 'bo'])
    expect(await resultOf({ seq: 0, input: 'bo', state: { name: 'cy', greeted: 0 } as never })).toEqual([
      'hello cy',
      'bo',
    ])
    const commit = source.entries().find(({ kind }) => kind === 'commit')?.seq ?? -1
    expect(await resultOf({ seq: commit, input: 'bo' })).toEqual(['hello ana', 'bo'])
    await runtime.close()
  })

  it('goes on with another agent when one is named', async () => {
    const agent = traveller([])
    const counter = defineAgent({
      name: 'counter',
      version: 1,
      initial: (): Trip => ({ booked: [] }),
      turn: async (_, state) => done(`${String(state.booked.length)} booked`),
    })
    const runtime = await testDevice([agent, counter]).open()
    const source = await handleOf<Trip>(runtime, await runtime.start(agent.name, null, { id: 'trip' }))
    const { head } = await source.until(({ status, turn }) => status === 'waiting' && turn === 2)
    const fork = await handleOf<Trip>(
      runtime,
      await source.fork({ seq: head.seq, agent: 'counter', state: { booked: ['x'] } }),
    )
    expect(await fork.result()).toBe('1 booked')
    await expect(source.fork({ seq: head.seq, agent: 'nobody' })).rejects.toMatchObject({
      code: 'agent_unknown',
    })
  })
})

describe('migrate', () => {
  const version = (number: number, migrate?: Readonly<Record<number, (state: never) => unknown>>): AnyAgent =>
    defineAgent({
      name: 'growing',
      version: number,
      ...(migrate ? { migrate } : {}),
      initial: () => ({ count: 0 }) as Record<string, unknown>,
      async turn(ctx, state) {
        if (ctx.turn === 0) return next()
        await ctx.receive('go' as never)
        return done({ ...ctx.current(state) })
      },
    })
  const toTwo = { 2: (state: { count: number }) => ({ total: state.count + 40 }) }
  const toThree = { 3: (state: { total: number }) => ({ ...state, total: state.total + 2 }) }

  /** Runs version 1 to the end of its first turn, and goes on from there with another. */
  async function under(agent: AnyAgent): Promise<RunHandle> {
    const old = testDevice([version(1)])
    const runtime = await old.open()
    const run = await handleOf(runtime, await runtime.start('growing', null, { id: 'grow' }))
    await run.until(({ turn }) => turn === 1)
    await runtime.close()
    const lines = (await old.store.read('grow' as never, 0)).slice(0, 2)
    const device = testDevice([agent])
    await device.store.append('grow' as never, { base: undefined, lines, durability: 'relaxed' })
    return handleOf(await device.open(), 'grow')
  }

  it('brings a state through every version between, in one entry', async () => {
    const run = await under(version(3, { ...toTwo, ...toThree }))
    await run.send('go', null)
    expect(await run.result()).toEqual({ total: 42 })
    expect(run.view()?.version).toBe(3)
    expect(run.entries().filter(({ kind }) => kind === 'migrate')).toHaveLength(1)
  })

  it('pauses, with the state as it was, when a version has no way', async () => {
    const run = await under(version(3, toTwo))
    const paused = await run.until(({ status }) => status === 'paused')
    expect(paused.error?.code).toBe('version_skew')
    expect(paused.error?.message).toContain('migrate[3]')
    expect(paused.state).toEqual({ count: 0 })
  })

  it('pauses when the code is older than the state', async () => {
    const old = testDevice([version(2, toTwo)])
    const runtime = await old.open()
    const run = await handleOf(runtime, await runtime.start('growing', null, { id: 'grow' }))
    await run.until(({ turn }) => turn === 1)
    await runtime.close()
    const device = testDevice([version(1)])
    const lines = (await old.store.read('grow' as never, 0)).slice(0, 2)
    await device.store.append('grow' as never, { base: undefined, lines, durability: 'relaxed' })
    const older = await handleOf(await device.open(), 'grow')
    const paused = await older.until(({ status }) => status === 'paused')
    expect(paused.error?.code).toBe('version_skew')
  })
})

describe('development', () => {
  const develop = async (turn: Parameters<typeof defineAgent<null, { n: number }>>[0]['turn']) => {
    const agent = defineAgent({
      name: 'dev',
      version: 1,
      initial: (input: null) => ({ n: input ?? 0 }),
      turn,
    })
    const runtime = await testDevice([agent], { development: true, clock: hastyClock }).open()
    const run = await handleOf(runtime, await runtime.start('dev', null, {}))
    return run.until(({ status }) => status === 'paused' || status === 'done')
  }

  it('pauses a turn whose replay comes to another state, and says where', async () => {
    let outside = 0
    const view = await develop(async (ctx, state) => {
      const one = await ctx.step('one', () => 1)
      state.n = one + ++outside
      return done()
    })
    expect(view.status).toBe('paused')
    expect(view.error?.code).toBe('not_replayable')
    expect(view.error?.message).toContain('["n"]')
    expect(view.state).toEqual({ n: 0 })
  })

  it('pauses a turn whose result, or whose calls, depend on chance', async () => {
    let lives = 0
    const calls = await develop(async (ctx) => {
      lives += 1
      await ctx.step(`life ${String(lives)}`, () => 1)
      return done()
    })
    expect(calls.error?.code).toBe('not_replayable')
    let results = 0
    const result = await develop(async () => done((results += 1)))
    expect(result.error?.code).toBe('not_replayable')
  })

  it('lets through a turn that replays', async () => {
    const view = await develop(async (ctx, state) => {
      state.n = await ctx.step('one', () => Math.random())
      return done(ctx.random())
    })
    expect(view.status).toBe('done')
  })
})
