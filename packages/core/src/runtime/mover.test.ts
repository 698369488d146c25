import { describe, expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import { parseLine } from '../log/entry.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Clock } from '../ports/clock.ts'
import type { Locks } from '../ports/locks.ts'
import type { LogStore } from '../ports/log-store.ts'
import type { Remote } from '../ports/remote.ts'
import type { Edge } from '../sync/syncer.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

/** At work until it is moved; then it waits for a person. */
const worker = (running: PromiseWithResolvers<void>, over: Promise<void>) =>
  defineAgent({
    name: 'worker',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      await ctx.step('work', () => {
        running.resolve()
        return over
      })
      await ctx.ask('sure', { question: 'Sure?' })
      return done()
    },
  })

/** Moves a run to an edge while a step runs, which ends once nothing new may begin. Gives the calls in order. */
async function movedAtWork(change: (remote: Remote) => Partial<Remote>) {
  const [running, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const claimed = Promise.withResolvers<void>()
  const agent = worker(running, over.promise)
  const { remote, blobs } = memoryEdge({ clock: testClock, agents: [agent] })
  const calls: string[] = []
  let isHeld = false
  const changed = { ...remote, ...change(remote) }
  const edge: Edge = {
    blobs,
    remote: {
      ...changed,
      // What is pushed after the hold takes longer than the claim.
      async push(run, tail) {
        if (isHeld) await claimed.promise
        return changed.push(run, tail)
      },
      claim(run, claim) {
        calls.push(claim.tail ? 'claim with a tail' : 'claim')
        return changed.claim(run, claim).finally(claimed.resolve)
      },
    },
  }
  const runtime = await testDevice([agent], { edge }).open()
  const run = await handleOf(runtime, await runtime.start('worker', null, {}))
  await running.promise
  const moving = run.move('edge').then(
    () => 'moved',
    (error: unknown) => (error instanceof WaystoneError ? error.code : String(error)),
  )
  // By then the host is held, and waits for the step.
  await testClock.task()
  isHeld = true
  over.resolve()
  const moved = await moving
  const owner = run.view()?.owner
  await runtime.close()
  return { moved, owner, calls }
}

describe('a move to the edge', () => {
  it('takes the last entries along with the claim', async () => {
    const { moved, owner, calls } = await movedAtWork(() => ({}))
    expect({ moved, owner, calls }).toEqual({ moved: 'moved', owner: 'edge', calls: ['claim with a tail'] })
  })

  it('pushes them first for an edge of an earlier version, which passes them over', async () => {
    const { moved, owner, calls } = await movedAtWork((remote) => ({
      claim: (run, { base, epoch, owner, place, reason }) =>
        remote.claim(run, { base, epoch, owner, place, reason }),
    }))
    expect({ moved, owner, calls }).toEqual({
      moved: 'moved',
      owner: 'edge',
      calls: ['claim with a tail', 'claim'],
    })
  })
})

describe('a move of a run that is over', () => {
  it('is refused at once, with or without an edge, and says why', async () => {
    const agent = defineAgent({ name: 'brief', version: 1, initial: () => ({}), turn: async () => done() })
    const runtime = await testDevice([agent], {
      edge: memoryEdge({ clock: testClock, agents: [agent] }),
    }).open()
    const run = await handleOf(runtime, await runtime.start('brief', null, {}))
    await run.result()
    await expect(run.move('edge')).rejects.toMatchObject({ code: 'run_ended' })
    await runtime.close()
    const alone = await testDevice([agent]).open()
    const here = await handleOf(alone, await alone.start('brief', null, {}))
    await here.result()
    await expect(here.move('edge')).rejects.toMatchObject({ code: 'move_refused' })
    await alone.close()
  })
})

describe('a move here by force', () => {
  it('brings a run whose owner had other code: it pauses here, and its turn begins anew', async () => {
    const agent = (code: 'newer' | 'older') =>
      defineAgent({
        name: 'changing',
        version: 1,
        initial: () => ({}),
        async turn(ctx) {
          if (code === 'newer') await ctx.step('first', () => null)
          else await ctx.ask('first', { question: 'Ready?' })
          await ctx.ask('sure', { question: 'Sure?' })
          return done(code)
        },
      })
    const edge = memoryEdge({ clock: testClock, ownerAlive: () => false })
    const laptop = await testDevice([agent('newer')], { edge }).open()
    const run = await handleOf(laptop, await laptop.start('changing', null, {}))
    await run.until(({ status, sync, head }) => status === 'waiting' && sync.synced?.seq === head.seq)
    await laptop.close()
    const phone = await testDevice([agent('older')], { edge, name: 'phone' }).open()
    const there = await handleOf(phone, run.id)
    await there.until(({ status }) => status === 'waiting')
    const message = expect.stringContaining('cannot be replayed') as string
    await expect(there.move('here')).rejects.toMatchObject({ code: 'move_refused', message })
    await there.move('here', { force: true })
    const paused = await there.until(({ status }) => status === 'paused')
    expect(paused.error).toMatchObject({ code: 'divergence' })
    await there.restart()
    for (const path of ['first', 'sure']) {
      const { asks } = await there.until((view) => view.asks.some((ask) => ask.path.endsWith(path)))
      await there.answer(asks[0]?.ask as string, 'yes')
    }
    expect(await there.result()).toBe('older')
    await phone.close()
  })

  it('claims the next head of an owner that writes on; one without force does not', async () => {
    const agent = defineAgent({
      name: 'waiter',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.ask('sure', { question: 'Sure?' })
        return done()
      },
    })
    const { remote, blobs } = memoryEdge({ clock: testClock, ownerAlive: () => false })
    let claims = 0
    const claim: Remote['claim'] = (run, asked) => {
      claims += 1
      if (claims % 3 !== 0) throw new WaystoneError('head_moved', 'the owner writes on', { run })
      return remote.claim(run, asked)
    }
    const laptop = await testDevice([agent], { edge: { remote, blobs } }).open()
    const run = await handleOf(laptop, await laptop.start('waiter', null, {}))
    await run.until(({ status, sync, head }) => status === 'waiting' && sync.synced?.seq === head.seq)
    const edge = { remote: { ...remote, claim }, blobs }
    const device = testDevice([agent], { edge, name: 'phone' })
    const phone = await device.open()
    const there = await handleOf(phone, run.id)
    await there.until(({ status }) => status === 'waiting')
    await expect(there.move('here')).rejects.toMatchObject({ code: 'move_refused' })
    expect(claims).toBe(1)
    // What it had got ready for that is let go of: another tab can have the lock.
    const lock = await device.locks.acquire(`waystone:${run.id}`, new AbortController().signal)
    lock.release()
    claims = 0
    await there.move('here', { force: true })
    expect([claims, there.view()?.owner]).toEqual([3, 'phone'])
    await laptop.close()
    await phone.close()
  })
})

it('a run that was taken by force comes back to a device that has not heard of it yet', async () => {
  const agent = worker(Promise.withResolvers(), Promise.resolve())
  const edge = memoryEdge({ clock: testClock, agents: [agent] })
  const deaf = { ...edge.remote, follow: () => ({ tell: () => undefined, close: () => undefined }) }
  const [here, there] = await Promise.all([
    testDevice([agent], { edge: { ...edge, remote: deaf } }).open(),
    testDevice([agent], { name: 'phone', edge }).open(),
  ])
  const run = await handleOf(here, await here.start('worker', null, {}))
  await run.until(({ status, head, sync }) => status === 'waiting' && sync.synced?.seq === head.seq)
  const taken = await handleOf(there, run.id)
  await taken.move('here', { force: true })
  expect([run.view()?.owner, taken.view()?.owner]).toEqual(['laptop', 'phone'])
  await run.move('here', { force: true })
  await taken.until(({ owner }) => owner === 'laptop')
  expect(run.view()?.epoch).toBe(2)
  await here.close()
  await there.close()
})

it('a run that is not here is not moved here from an edge that does not answer, and its lock is free', async () => {
  const agent = worker(Promise.withResolvers(), Promise.resolve())
  const edge = memoryEdge({ clock: testClock, agents: [agent] })
  const pull = (): Promise<never> => Promise.reject(new WaystoneError('unreachable', 'there is no network'))
  const device = testDevice([agent], { edge: { ...edge, remote: { ...edge.remote, pull } } })
  const runtime = await device.open()
  await expect(runtime.move('elsewhere' as never, 'here')).rejects.toMatchObject({ code: 'unreachable' })
  const lock = await device.locks.acquire('waystone:elsewhere', new AbortController().signal)
  lock.release()
  await runtime.close()
})

it('a run that comes here before the edge was ever asked for its log is compared once the edge answers', async () => {
  const agent = worker(Promise.withResolvers(), Promise.resolve())
  const edge = memoryEdge({ clock: testClock, agents: [agent], ownerAlive: () => false })
  const here = await testDevice([agent], { edge }).open()
  const run = await handleOf(here, await here.start('worker', null, {}))
  await run.until(({ status, head, sync }) => status === 'waiting' && sync.synced?.seq === head.seq)
  const phone = testDevice([agent], { name: 'phone', edge })
  const first = await phone.open()
  await (await handleOf(first, run.id)).until(({ status }) => status === 'waiting')
  await first.close()
  await here.close()

  let isThere = false
  const unreachable = (): never => {
    throw new WaystoneError('unreachable', 'the edge does not answer')
  }
  const pull: Remote['pull'] = async (...args) => (isThere ? edge.remote.pull(...args) : unreachable())
  const follow: Remote['follow'] = () => ({ tell: () => undefined, close: () => undefined })
  const mayWrite = Promise.withResolvers<void>()
  const locks: Locks = {
    async acquire(...args) {
      await mayWrite.promise
      return phone.locks.acquire(...args)
    },
  }
  // The wait after which the edge is asked again.
  const again = Promise.withResolvers<void>()
  const retryMs = 500
  const clock: Clock = {
    ...testClock,
    wait: (ms, signal) => (ms === retryMs ? again.promise : testClock.wait(ms, signal)),
  }
  const ports = { edge: { ...edge, remote: { ...edge.remote, pull, follow } }, locks, clock }
  const second = await phone.open(ports)
  const taken = await handleOf(second, run.id)
  await taken.move('here', { force: true })
  again.resolve()
  await testClock.task()
  isThere = true
  mayWrite.resolve()
  await taken.until(({ owner, head, sync }) => owner === 'phone' && sync.synced?.seq === head.seq)
  await second.close()
})

it('a run that comes here is opened in the very transaction that stores its claim', async () => {
  const agent = worker(Promise.withResolvers(), Promise.resolve())
  const edge = memoryEdge({ clock: testClock, agents: [agent] })
  const here = await testDevice([agent], { edge }).open()
  const run = await handleOf(here, await here.start('worker', null, {}))
  await run.until(({ status, head, sync }) => status === 'waiting' && sync.synced?.seq === head.seq)
  await run.move('edge')
  await here.close()

  const storage = memoryStorage()
  const appended: string[] = []
  const store: LogStore = {
    ...storage.store,
    append(of, append) {
      appended.push(append.lines.map((line) => parseLine(line).kind).join(' '))
      return storage.store.append(of, append)
    },
  }
  const runtime = await testDevice([agent], { name: 'phone', edge, storage: { ...storage, store } }).open()
  const taken = await handleOf(runtime, run.id)
  await taken.until(({ status }) => status === 'waiting')
  appended.length = 0
  await taken.move('here')
  await taken.until(({ live, owner }) => owner === 'phone' && live.phase === 'waiting')
  expect(appended).toEqual(['claim open'])
  await runtime.close()
})
