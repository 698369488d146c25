import { expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import type { Ctx } from '../engine/ctx.ts'
import { WaystoneError } from '../errors.ts'
import { limits } from '../limits.ts'
import { me } from '../log/log.test-support.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { testClock } from './memory-world.test-support.ts'
import { portsOf, started } from './run-host.test-support.ts'
import { RunHost } from './run-host.ts'

it.for([
  ['for a minute', 60_000],
  ['while its clock went back', -60_000],
] as const)(
  'a host that stood still before its first step, %s, begins none before it knows who writes',
  async ([, ms]) => {
    const ran: string[] = []
    const agent = defineAgent({
      name: 'a',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const step = (name: string) => () => ctx.step(name, () => Promise.resolve(void ran.push(name)))
        await Promise.all([step('a')(), step('b')()])
        return done(null)
      },
    })
    const { storage, log } = await started()
    const looked = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    let looks = 0
    const host = new RunHost(log, {
      ...portsOf(storage, () => agent),
      // Since the entry above.
      clock: { ...testClock, now: () => Date.now() + ms },
      slept: () => {
        looks += 1
        asked.resolve()
        return looked.promise
      },
    })
    const ended = host.run()
    await asked.promise
    for (let task = 0; task < 100; task += 1) await testClock.task()
    expect([looks, ran]).toEqual([1, []])
    looked.resolve()
    await ended
    expect([looks, ran.toSorted()]).toEqual([1, ['a', 'b']])
  },
)

it('a host that stood still in a step asks before the next one, although its own beat comes first', async () => {
  const ran: string[] = []
  const working = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      await ctx.step('first', () => {
        working.resolve()
        return release.promise
      })
      await ctx.step('second', () => void ran.push('second'))
      return done(null)
    },
  })
  const { storage, log } = await started()
  const late = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const looked = Promise.withResolvers<void>()
  const waits = [late.promise]
  let ahead = 0
  const host = new RunHost(log, {
    ...portsOf(storage, () => agent),
    clock: {
      ...testClock,
      now: () => Date.now() + ahead,
      wait: (ms, signal) => waits.pop() ?? testClock.wait(ms, signal),
    },
    slept: () => {
      asked.resolve()
      return looked.promise
    },
  })
  const ended = host.run()
  await working.promise
  // The host stands still for a minute; what it waited for meanwhile comes at once then.
  ahead = 60_000
  late.resolve()
  for (let task = 0; task < 10; task += 1) await testClock.task()
  release.resolve()
  await Promise.race([asked.promise, ended])
  expect(ran).toEqual([])
  looked.resolve()
  await ended
  expect(ran).toEqual(['second'])
})

it.each<[string, (ctx: Ctx, body: () => void) => Promise<void>]>([
  ['a step', (ctx, body) => ctx.step('first', body)],
  ['an effect that does not wait for the edge', (ctx, body) => ctx.once('first', { timeout: '5s' }, body)],
])('a host that stood still while it asked who writes the run asks again before %s', async (_, call) => {
  const ran: string[] = []
  const agent = defineAgent({
    name: 'a',
    version: 1,
    once: 'go',
    initial: () => ({}),
    turn: async (ctx) => done(await call(ctx, () => void ran.push('first'))),
  })
  let ahead = 0
  const now = (): number => Date.now() + ahead
  const { storage, log } = await started(memoryStorage(), now)
  const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let looks = 0
  ahead = 60_000
  const host = new RunHost(log, {
    ...portsOf(storage, () => agent),
    clock: { ...testClock, now },
    slept: () => {
      asked[looks]?.resolve()
      return answers[looks++]?.promise ?? Promise.resolve()
    },
  })
  const ended = host.run()
  await asked[0]?.promise
  ahead += 60_000
  answers[0]?.resolve()
  await Promise.race([asked[1]?.promise, ended])
  expect(ran).toEqual([])
  answers[1]?.resolve()
  await ended
  expect([looks, ran]).toEqual([2, ['first']])
})

it('a host that stands still whenever it asks looks at what is stored here until it did not', async () => {
  const asked: boolean[] = []
  let before: number | undefined
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await ctx.step('first', () => void (before ??= asked.length))),
  })
  let ahead = 0
  const now = (): number => Date.now() + ahead
  const { storage, log } = await started(memoryStorage(), now)
  ahead = 60_000
  const host = new RunHost(log, {
    ...portsOf(storage, () => agent),
    clock: { ...testClock, now },
    async slept(isSlow) {
      asked.push(isSlow)
      if (asked.length < 6) ahead += 60_000
    },
  })
  await host.run()
  expect(asked).toEqual([false, false, false, true, true, true])
  expect(before).toBe(6)
})

it('a host that stood still in a stream asks who writes the run before its body goes on', async () => {
  const ran: string[] = []
  const written = Promise.withResolvers<void>()
  const store = Promise.withResolvers<void>()
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) =>
      done(
        await ctx.stream('text', { attempts: 1 }, async ({ out }) => {
          await out.write('a')
          ran.push('after')
        }),
      ),
  })
  let ahead = 0
  const { storage, log } = await started()
  const host: RunHost = new RunHost(log, {
    ...portsOf(storage, () => agent),
    clock: { ...testClock, now: () => Date.now() + ahead },
    streams: {
      ...storage.streams,
      append: async () => {
        written.resolve()
        await store.promise
      },
    },
    // Somebody else writes it by now.
    slept: () => Promise.resolve(host.stop()),
  })
  const ended = host.run()
  await written.promise
  ahead = 60_000
  store.resolve()
  await ended
  for (let task = 0; task < 10; task += 1) await testClock.task()
  expect(ran).toEqual([])
})

it('hold() waits for what is being stored also when a turn is about to begin anew, so that no move leaves it behind', async () => {
  const working = Promise.withResolvers<void>()
  const storing = Promise.withResolvers<void>()
  const stored = Promise.withResolvers<void>()
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await ctx.step('a', () => working.resolve())),
  })
  const storage = memoryStorage()
  const store: typeof storage.store = {
    ...storage.store,
    append: async (...args) => {
      if (args[1].base !== undefined) {
        storing.resolve()
        await stored.promise
      }
      return storage.store.append(...args)
    },
  }
  const { log } = await started({ ...storage, store })
  const host = new RunHost(
    log,
    portsOf(storage, () => agent),
  )
  const ended = host.run()
  await working.promise
  await storing.promise
  const renewed = host.renew(0)
  let isHeld = false
  const held = host.hold(0).then(() => (isHeld = true))
  for (let task = 0; task < 100; task += 1) await testClock.task()
  expect(isHeld).toBe(false)
  stored.resolve()
  await Promise.all([held, renewed])
  expect(log.mustFold().records.map(({ kind }) => kind)).toEqual(['step'])
  host.stop()
  await ended
})

it('a turn never begins with code of a version that its state was not brought to', async () => {
  const seen: unknown[] = []
  const before = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async () => done('with the old code'),
  })
  const after = defineAgent({
    name: 'a',
    version: 2,
    initial: () => ({ notes: [] as string[] }),
    migrate: { 2: () => ({ notes: ['migrated'] }) },
    async turn(ctx, state) {
      seen.push(ctx.current(state))
      return done('with the new code')
    },
  })
  const { storage, log } = await started()
  let asked = 0
  // Replaced between what comes before the turn and the turn.
  const host = new RunHost(
    log,
    portsOf(storage, () => (++asked === 1 ? before : after)),
  )
  await host.run()
  expect(seen).toEqual([{ notes: ['migrated'] }])
  expect(log.mustFold()).toMatchObject({ status: 'done', result: 'with the new code' })
})

it('a host whose two questions before a step both fail is lost, and nothing fails unheard', async () => {
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await ctx.step('never', () => 1)),
  })
  const memory = memoryStorage()
  const held = Promise.withResolvers<never>()
  let isHeld = false
  const { store } = memory
  const storage = {
    ...memory,
    store: {
      ...store,
      read: (...args: Parameters<typeof store.read>) => (isHeld ? held.promise : store.read(...args)),
    },
  }
  const { log } = await started(storage)
  // Opened so often that the host reads whether anything has come of it.
  const body = { reason: 'opened', place: 'browser', nonce: 'n', sdk: '0' } as const
  for (let times = 0; times < limits.openingsMax; times += 1)
    await log.append(me, () => [{ kind: 'open', body }])
  isHeld = true
  const asked = Promise.withResolvers<void>()
  const host = new RunHost(log, {
    ...portsOf(storage, () => agent),
    // A minute has passed since the entries above.
    clock: { ...testClock, now: () => Date.now() + 60_000 },
    async slept() {
      asked.resolve()
      throw new WaystoneError('storage_failed', 'the head cannot be read')
    },
  })
  const ended = host.run()
  await asked.promise
  for (let task = 0; task < 10; task += 1) await testClock.task()
  held.reject(new WaystoneError('storage_failed', 'the log cannot be read'))
  expect(await ended).toMatchObject({ type: 'lost', error: { code: 'storage_failed' } })
})
