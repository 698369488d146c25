import { expect, it } from 'vitest'
import type { Digest, RunId } from '../ids.ts'
import type { TurnRecord } from '../log/fold.ts'
import type { Clock } from '../ports/clock.ts'
import { handleOf, hastyClock, testClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { portsOf, started } from '../runtime/run-host.test-support.ts'
import { RunHost } from '../runtime/run-host.ts'
import { defineAgent, done, next } from './agent.ts'
import { effectsOff } from './attempt-ports.ts'
import { Attempt } from './attempt.ts'
import { crashedAfter, finish } from './crash.test-support.ts'
import type { Schema } from './ctx.ts'

/** A clock on which nothing that takes a second or longer ever comes, unless it is cut short. */
const impatientClock: Clock = {
  ...testClock,
  wait: (ms, signal) => testClock.wait(ms < 1_000 ? ms : 2 ** 30, signal),
}

it('a turn whose calls come late is given what losers recorded in the order of the log', async () => {
  const order: string[][] = []
  const agent = defineAgent({
    name: 'late',
    version: 1,
    initial: () => ({ winner: '' }),
    async turn(ctx, state) {
      const seen: string[] = []
      order.push(seen)
      const asleep = Promise.withResolvers<void>()
      // Other code may have to be awaited before a turn makes its first call.
      for (let hop = 0; hop < 6; hop += 1) await Promise.resolve()
      const won = await ctx.race('outer', {
        a: async (c) => {
          const inner = await c.race('inner', {
            x: (k) => k.step('x', () => 'x').then((name) => void seen.push(name)),
            y: (k) => k.step('y', () => 'y').then((name) => void seen.push(name)),
          })
          const sleeping = c.sleep('long', '1h')
          asleep.resolve()
          await sleeping
          return inner.name
        },
        b: (c) => c.step('short', () => asleep.promise),
      })
      state.winner = won.name
      return done(won.name)
    },
  })
  const source = testDevice([agent])
  const whole = await finish(source, agent, async () => undefined)
  const lines = await source.store.read('run' as never, 0)
  const beforeCommit = whole.entries().findIndex(({ kind }) => kind === 'commit')
  const device = await crashedAfter(agent, lines.slice(0, beforeCommit), testDevice([]))
  const again = await finish(device, agent, async () => undefined)
  expect(again.view()).toMatchObject({ status: 'done', state: whole.view()?.state as object })
  expect(order).toEqual([
    ['x', 'y'],
    ['x', 'y'],
  ])
})

it('a race inside of one that is decided waits for its losers, and for no time-out of its own', async () => {
  const gate = Promise.withResolvers<string>()
  const agent = defineAgent({
    name: 'nested',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const won = await ctx.race('outer', {
        a: (c) =>
          c.race('inner', { x: (k) => k.step('x', () => 'x'), y: (k) => k.step('y', () => gate.promise) }),
        b: async (c) => {
          await c.step('b', () => 'b')
          gate.resolve('late')
        },
      })
      return done(won.name)
    },
  })
  const run = await finish(testDevice([agent], { clock: impatientClock }), agent, async () => undefined)
  expect(run.view()).toMatchObject({ status: 'done', result: 'b' })
})

it('all that runs inside of a race that has lost has ended before the turn goes on', async () => {
  const agent = defineAgent({
    name: 'ended',
    version: 1,
    initial: () => ({ won: '' }),
    async turn(ctx, state) {
      const busy = Promise.withResolvers<void>()
      const gate = Promise.withResolvers<void>()
      const won = await ctx.race('outer', {
        a: async (c) => {
          await c.step('a', () => busy.promise)
          // The race inside is decided by then, and waits for its loser.
          void tasks(20).then(() => gate.resolve())
        },
        b: (c) =>
          c.race('inner', {
            quick: (k) => k.step('quick', () => busy.promise),
            slow: (k) =>
              k.scope('deep', async (deep) => {
                try {
                  await deep.step('busy', () => (busy.resolve(), gate.promise))
                } finally {
                  for (let hop = 0; hop < 20; hop += 1) await Promise.resolve()
                }
              }),
          }),
      })
      state.won = won.name
      return done(won.name)
    },
  })
  const run = await finish(testDevice([agent]), agent, async () => undefined)
  expect([run.view()?.status, run.view()?.error]).toEqual(['done', undefined])
})

it('an interrupt reaches an open turn that waits, also where its host had let go of it', async () => {
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await ctx.ask('sure', { question: 'Sure?' })),
  })
  const { storage, log } = await started()
  const ports = portsOf(storage, () => agent)
  expect(await new RunHost(log, ports).run({ letGo: true })).toMatchObject({ type: 'waiting' })
  await storage.inbox.put(log.run, { type: 'interrupt', id: 'stop', time: 1, by: 'ana' })
  await new RunHost(log, ports).run({ letGo: true })
  const kinds = (await log.entries(0, log.mustFold().head.seq)).map(({ kind }) => kind)
  expect(kinds).toEqual(['start', 'turn', 'ask', 'interrupt', 'commit', 'pause'])
})

it('a message that a call was about to take when its branch lost is taken by the next one', async () => {
  const checking = Promise.withResolvers<void>()
  const checked = Promise.withResolvers<void>()
  const slow: Schema<string> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => {
        checking.resolve()
        await checked.promise
        return { value: String(value) }
      },
    },
  }
  const agent = defineAgent({
    name: 'taker',
    version: 1,
    inbox: { note: slow },
    initial: () => ({ got: [] as string[] }),
    async turn(ctx, state) {
      if (ctx.turn > 0) return done(await ctx.receive('note'))
      await ctx.race('first', {
        note: (c) => c.receive('note'),
        other: async (c) => {
          await c.step('other', () => checking.promise)
          // The check ends when the race is decided, and waits for it.
          void tasks(10).then(() => checked.resolve())
        },
      })
      state.got.push('nothing')
      return next()
    },
  })
  const runtime = await testDevice([agent], { clock: hastyClock }).open()
  const run = await handleOf(runtime, await runtime.start('taker', null))
  await run.send('note', 'hello')
  expect((await run.until(({ status }) => status === 'done')).result).toBe('hello')
  await runtime.close()
})

it.each(['interrupt', 'cancel'] as const)(
  '%s ends a pause between two tries, and no other try begins',
  async (how) => {
    let tries = 0
    const failed = Promise.withResolvers<void>()
    const agent = defineAgent({
      name: 'patient',
      version: 1,
      initial: () => ({}),
      turn: async (ctx) =>
        done(
          await ctx.step('try', { backoff: '1h', backoffMax: '1h' }, () => {
            tries += 1
            failed.resolve()
            throw new Error('not yet')
          }),
        ),
    })
    const runtime = await testDevice([agent], { clock: impatientClock }).open()
    const run = await handleOf(runtime, await runtime.start('patient', null))
    await failed.promise
    await (how === 'cancel' ? run.cancel('enough') : run.interrupt())
    await run.until(({ status }) => status === 'cancelled' || status === 'paused')
    expect(tries).toBe(1)
    await runtime.close()
  },
)

async function tasks(count: number): Promise<void> {
  for (let task = 0; task < count; task += 1) await testClock.task()
}

it('an attempt that a person has to decide for waits for nobody, at no moment of its end', async () => {
  const agent = defineAgent({
    name: 'payer',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const verify = async (): Promise<never> => {
        for (let task = 0; task < 10; task += 1) await testClock.task()
        throw new Error('nobody knows')
      }
      return done(await ctx.once('pay', { timeout: '1s', verify }, () => 'paid'))
    },
  })
  const start = { path: '0/pay', key: 'c'.repeat(64), timeoutMs: 1_000, place: 'edge' }
  const record = {
    kind: 'once.start',
    body: start,
    time: 0,
    digest: 'd'.repeat(64),
    owner: 'edge',
    inert: false,
  }
  const turn = {
    run: 'run' as RunId,
    turn: 0,
    origin: 'a'.repeat(64) as Digest,
    config: 'b'.repeat(64) as Digest,
    state: {},
    records: [record as unknown as TurnRecord],
    effects: [],
    began: 0,
  }
  const seen: unknown[] = []
  const changed = (): void => void seen.push(attempt.waits())
  const ports = { ...effectsOff(testClock, 'edge'), opened: 0, changed }
  const attempt: Attempt = new Attempt(agent, turn, ports)
  expect(await attempt.run()).toMatchObject({ type: 'unknown', path: '0/pay' })
  expect(seen.filter((waits) => waits !== undefined)).toEqual([])
})
