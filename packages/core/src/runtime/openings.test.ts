import { describe, expect, it } from 'vitest'
import { defineAgent, done, next, type AnyAgent } from '../engine/agent.ts'
import type { Ctx } from '../engine/ctx.ts'
import { limits } from '../limits.ts'
import { WaystoneError } from '../errors.ts'
import type { Digest, RunId } from '../ids.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Remote } from '../ports/remote.ts'
import type { SetAside, Tails } from '../ports/tails.ts'
import type { WatchEvent } from '../ports/watch.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'
import { portsOf, started } from './run-host.test-support.ts'
import { RunHost } from './run-host.ts'

it('a run whose end comes from the edge while it is opened is not opened', async () => {
  const asking = defineAgent({
    name: 'asking',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      return done((await ctx.ask('go', { question: 'Go on?' })).status)
    },
  })
  const edge = memoryEdge({ clock: testClock })
  const newest = await testDevice([asking], { edge }).open()
  const there = await handleOf(newest, await newest.start('asking', null, { id: 'run' }))
  const { asks } = await there.until((view) => view.asks.length === 1 && view.sync.synced !== undefined)
  // The same device with an older profile: it can hear the edge, and is not answered by it.
  const old = memoryStorage()
  const lines = await newest.lines('run' as RunId, 0)
  await old.store.append('run' as RunId, { base: undefined, lines, durability: 'strict' })
  await there.answer(asks[0]?.ask as Digest, true)
  const { head } = await there.until(
    ({ status, sync, ...view }) => status === 'done' && sync.synced?.seq === view.head.seq,
  )
  const rest = await newest.lines('run' as RunId, lines.length)
  await newest.close()
  const tails = Promise.withResolvers<readonly SetAside[]>()
  const asked = Promise.withResolvers<void>()
  const list: Tails['list'] = () => {
    asked.resolve()
    return tails.promise
  }
  const pull = (): Promise<never> => Promise.reject(new WaystoneError('unreachable', 'not now'))
  let hear: (event: WatchEvent) => void = () => undefined
  const follow: Remote['follow'] = (_, { onEvent }) => {
    hear = onEvent
    return { tell: () => undefined, close: () => undefined }
  }
  const storage = { ...old, tails: { ...old.tails, list } }
  const device = testDevice([asking], {
    storage,
    edge: { ...edge, remote: { ...edge.remote, pull, follow } },
  })
  const runtime = await device.open()
  const run = await handleOf(runtime, 'run')
  await asked.promise
  hear({ type: 'lines', from: lines.length, lines: rest })
  await run.until(({ status }) => status === 'done')
  tails.resolve([])
  await run.until(({ live }) => live.phase === 'idle')
  await runtime.close()
  expect(await old.store.head('run' as RunId)).toEqual(head)
})

it('a tab that starts a run does no step again that another one has done, which was faster to the lock', async () => {
  let times = 0
  const wait = Promise.withResolvers<void>()
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      await ctx.step('one', () => (times += 1))
      await ctx.step('two', () => wait.promise)
      return done()
    },
  })
  const device = testDevice([agent])
  const mayLock = Promise.withResolvers<void>()
  const isStarted = Promise.withResolvers<void>()
  const slow = await device.open({
    locks: {
      async acquire(name, signal) {
        isStarted.resolve()
        await mayLock.promise
        return device.locks.acquire(name, signal)
      },
    },
    // It hears too late of what the other one has written.
    channel: { post: () => undefined, listen: () => () => undefined, close: () => undefined },
  })
  const id = await slow.start('a', null, { id: 'run' })
  await isStarted.promise
  const fast = await device.open()
  const there = await handleOf(fast, id)
  await there.until(() => there.entries().some(({ kind }) => kind === 'step'))
  await fast.close()
  mayLock.resolve()
  wait.resolve()
  const here = await handleOf(slow, id)
  await here.until(({ status }) => status === 'done')
  expect(times).toBe(1)
})

describe('a run whose hosts are killed before anything comes of it', () => {
  it('pauses instead of trying a step again for ever, tries it when it is told to, and goes on', async () => {
    let tries = 0
    let mayEnd = false
    let begun = Promise.withResolvers<void>()
    const open = device(async (ctx) => {
      await ctx.step('before', () => 1)
      return ctx.step('deadly', ({ signal }) => {
        tries += 1
        begun.resolve()
        return mayEnd ? 'lived' : untilAborted(signal)
      })
    })
    for (let life = 0; life <= limits.openingsMax; life += 1) {
      await open(() => begun.promise)
      begun = Promise.withResolvers()
    }
    await open(async (run) => {
      const { pause } = await run.until(({ status }) => status === 'paused')
      expect(pause).toMatchObject({ reason: 'error', error: { code: 'no_progress', run: 'run' } })
      expect(pause?.actions).toEqual(['retry', 'rewind', 'fork', 'cancel'])
      expect(tries).toBe(limits.openingsMax + 1)
      mayEnd = true
      await run.retry()
      expect((await run.until(({ status }) => status === 'done')).result).toBe('lived')
    })
    expect(tries).toBe(limits.openingsMax + 2)
  })

  it('goes on however often it was opened while it waited', async () => {
    const open = device(async (ctx) => {
      const answer = await ctx.ask('go', { question: 'Go on?' })
      return ctx.step('after', () => answer.status)
    })
    for (let life = 0; life < 2 * limits.openingsMax; life += 1)
      await open(async (run) => void (await run.until(({ asks }) => asks.length === 1)))
    await open(async (run) => {
      const { asks } = await run.until((view) => view.asks.length === 1)
      await run.answer(asks[0]?.ask as Digest, true)
      expect((await run.until(({ status }) => status === 'done')).result).toBe('answered')
    })
  })

  it('goes on however often it was opened before its turn was due, and at long intervals', async () => {
    let ahead = 0
    const clock = { ...hastyClock, now: () => Date.now() + ahead }
    const agent = defineAgent({
      name: 'a',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        if (ctx.turn === 0) return next({ after: '1h' })
        return done(
          await ctx.step('slow', ({ signal }) => (ahead > 10 ** 9 ? 'ended' : untilAborted(signal))),
        )
      },
    })
    const { open } = testDevice([agent], { clock })
    const life = async (work: (run: RunHandle) => Promise<unknown>, later: number): Promise<void> => {
      const runtime = await open()
      await runtime.start('a', null, { id: 'run' })
      await work(await handleOf(runtime, 'run'))
      await runtime.close()
      ahead += later
    }
    const waits = (run: RunHandle): Promise<unknown> => run.until(({ status }) => status === 'waiting')
    for (let count = 0; count < 2 * limits.openingsMax; count += 1) await life(waits, 0)
    ahead = 3_600_000
    const works = (run: RunHandle): Promise<unknown> => run.until(({ live }) => live.calls.length > 0)
    for (let count = 0; count < 2 * limits.openingsMax; count += 1) await life(works, limits.openingsMs / 5)
    ahead = 2 * 10 ** 9
    await life(async (run) => {
      expect((await run.until(({ status }) => status === 'done')).result).toBe('ended')
    }, 0)
  })

  it.each([
    ['retries', { onUnknown: 'retry' } as const],
    ['is found not to have happened', { verify: () => Promise.resolve({ done: false } as const) }],
  ])('asks a person about an effect that %s each time', async (_, policy) => {
    let starts = 0
    let ahead = 0
    let begun = Promise.withResolvers<'begun'>()
    const agent = agentOf((ctx) =>
      ctx.once('deadly', { timeout: '5s', ...policy }, ({ signal }) => {
        starts += 1
        begun.resolve('begun')
        return untilAborted(signal)
      }),
    )
    const now = (): number => Date.now() + ahead
    const { storage, log } = await started(memoryStorage(), now)
    for (let life = 'begun'; life === 'begun';) {
      const host = new RunHost(log, { ...portsOf(storage, () => agent), clock: { ...hastyClock, now } })
      const ended = host.run({ letGo: true })
      life = await Promise.race([begun.promise, ended.then(({ type }) => type)])
      host.stop()
      await ended
      begun = Promise.withResolvers()
      // Long enough that the outcome of what was under way is unknown.
      ahead += 60_000
    }
    expect(log.mustFold().pause).toMatchObject({ reason: 'outcome', error: { code: 'outcome_unknown' } })
    expect(starts).toBe(5)
  })
})

/** A run that is opened and closed again by one device. */
function device(turn: (ctx: Ctx) => Promise<unknown>) {
  const { open } = testDevice([agentOf(turn)], { clock: hastyClock })
  return async (life: (run: RunHandle) => Promise<void>): Promise<void> => {
    const runtime = await open()
    await runtime.start('a', null, { id: 'run' })
    await life(await handleOf(runtime, 'run'))
    await runtime.close()
  }
}

function agentOf(turn: (ctx: Ctx) => Promise<unknown>): AnyAgent {
  return defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => done(await turn(ctx as Ctx)),
  })
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })
}
