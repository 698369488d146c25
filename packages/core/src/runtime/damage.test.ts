import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import type { OwnerId } from '../ids.ts'
import { parseLine, type ParsedEntry } from '../log/entry.ts'
import { run } from '../log/log.test-support.ts'
import { fromUtf8 } from '../state/digest.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'
import { damage, paid, payer } from './payer.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import type { RunHandle } from './run-handle.ts'
import type { Runtime } from './runtime.ts'
import type { Edge } from '../sync/syncer.ts'

const counter = defineAgent({
  name: 'counter',
  version: 1,
  snapshots: { turns: 1 },
  initial: () => ({ count: 0 }),
  async turn(ctx, state) {
    await ctx.receive('add' as never)
    state.count += 1
    return next()
  },
})

/** Lets a run count on, from one number to another, does something `before` its device is closed, and tells its last entry. */
async function count(
  device: ReturnType<typeof testDevice>,
  from: number,
  to: number,
  before?: (handle: RunHandle) => Promise<unknown>,
): Promise<number> {
  const runtime = await device.open()
  if (from === 0) await runtime.start('counter', null, { id: run })
  const handle = await handleOf(runtime, run)
  for (let now = from; now < to; now += 1) {
    await handle.send('add', null)
    await handle.until(
      ({ state, status }) => (state as { count: number }).count === now + 1 && status === 'waiting',
    )
  }
  await handle.until(() => handle.entries().at(-1)?.kind === 'snapshot')
  const last = handle.entries().at(-1)?.seq as number
  await before?.(handle)
  await runtime.close()
  return last
}

/** An agent whose step goes on until it is told to stop, and how often that was begun. */
function waiter() {
  let begun = 0
  const first = Promise.withResolvers<void>()
  const agent = defineAgent({
    name: 'waiter',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) =>
      done(await ctx.step('wait', ({ signal }) => ((begun += 1), first.resolve(), ends(signal)))),
  })
  return { agent, first: first.promise, begun: () => begun }
}

function ends(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
}

/** An edge that cannot be reached before `connect`. */
function later({ remote, blobs }: Edge) {
  let isThere = false
  const reached = <Args extends readonly unknown[], T>(ask: (...args: Args) => Promise<T>) => {
    const gone = new WaystoneError('unreachable', 'no network')
    return (...args: Args): Promise<T> => (isThere ? ask(...args) : Promise.reject(gone))
  }
  const edge = { blobs, remote: { ...remote, push: reached(remote.push), pull: reached(remote.pull) } }
  return { edge, connect: () => void (isThere = true) }
}

describe('a damaged run', () => {
  it('pauses where it is sound, lists what was set aside, and names the effects that it had started', async () => {
    const { device, digest } = await paid(2)
    damage(device, (line) => parseLine(line).digest === digest)
    const handle = await handleOf(await device.open(), run)
    const paused = await handle.until(({ status }) => status === 'paused')
    expect(paused.pause?.reason).toBe('set aside')
    expect(paused.state).toEqual({ paid: 1 })
    expect(paused.error).toMatchObject({ code: 'log_damaged' })
    const [tail] = await handle.setAside()
    expect(tail?.reason).toContain('damaged')
    expect(tail?.lines.length).toBeGreaterThan(2)
    await handle.retry()
    await handle.until(({ status }) => status === 'waiting')
  })

  const ways: Readonly<Record<string, (handle: RunHandle, runtime: Runtime) => Promise<RunHandle>>> = {
    async retried(handle) {
      await handle.retry()
      return handle
    },
    async forked(handle, runtime) {
      return handleOf(runtime, await handle.fork({ seq: handle.view()?.head.seq as number }))
    },
    async 'taken back to the pause'(handle) {
      await handle.rewind({ seq: handle.view()?.head.seq as number })
      return handle
    },
    async 'taken back to before it'(handle) {
      await handle.rewind({ seq: handle.entries().findLast(({ kind }) => kind === 'commit')?.seq as number })
      return handle
    },
  }
  const cases = [
    ['key is another one', 'key', /[0-9]/, 1],
    ['key is none', 'key', /[2-7a-f]/, 8],
    ['path is another one', 'path', /[a-z]/, 1],
  ] as const
  it.each(cases.flatMap((one) => Object.keys(ways).map((way) => [way, ...one] as const)))(
    '%s asks about an effect whose %s, once and by the key that it has',
    async (way, _, field, changed, mask) => {
      const { device, digest } = await paid(2)
      const lines = (await device.store.read(run, 0)).map(parseLine)
      const start = lines.find((line) => line.digest === digest) as ParsedEntry
      const { path, key } = start.body as { readonly path: string; readonly key: string }
      const text = field === 'key' ? key : path
      damage(device, (line) => parseLine(line).digest === digest, {
        at: (line) => fromUtf8(line).indexOf(text) + text.search(changed),
        mask,
      })
      const runtime = await device.open()
      const damaged = await handleOf(runtime, run)
      await damaged.until(({ status }) => status === 'paused')
      const handle = (await ways[way]?.(damaged, runtime)) as RunHandle
      await handle.until(({ pause }) => pause?.reason !== 'set aside')
      if (way === 'taken back to before it') await handle.send('pay', null)
      const { error, pause } = await handle.until(({ status }) => status === 'paused')
      expect(pause?.reason).toBe('outcome')
      const asked = error?.details as Readonly<Record<'start' | 'key' | 'otherKey', string>>
      expect([asked.key, asked.otherKey]).toContain(key)
      await handle.decide(asked.start, { type: 'done', value: 'charged' })
      await handle.until(
        ({ state, status }) => (state as { paid: number }).paid === 2 && status === 'waiting',
      )
    },
  )

  it('asks about an effect that was started though the pause that told of it is damaged, too', async () => {
    const { device, digest } = await paid(1)
    const lines = (await device.store.read(run, 0)).map(parseLine)
    const start = lines.find((line) => line.digest === digest) as ParsedEntry
    damage(device, (line) => parseLine(line).seq === start.seq - 1)
    const first = await device.open()
    await (await handleOf(first, run)).until(({ status }) => status === 'paused')
    await first.close()
    damage(device, (line) => fromUtf8(line).includes('"kind":"pause"'))
    const again = await handleOf(await device.open(), run)
    await again.until(({ status, head }) => status === 'paused' && head.seq > start.seq)
    expect(await again.setAside()).toHaveLength(2)
    await again.retry()
    await again.send('pay', null)
    const { error, pause } = await again.until(
      ({ status, error: said }) => status === 'paused' && said?.code === 'outcome_unknown',
    )
    expect([pause?.reason, error?.details]).toMatchObject([
      'outcome',
      { key: (start.body as { key: string }).key },
    ])
  })

  it('asks about an effect that was set aside behind what is found damaged next', async () => {
    const { device, digest } = await paid(1)
    const lines = (await device.store.read(run, 0)).map(parseLine)
    const start = lines.find((line) => line.digest === digest) as ParsedEntry
    // Hosts that died before they had added anything to it.
    for (const seq of [start.seq - 1, 1]) {
      damage(device, (line) => parseLine(line).seq === seq)
      await RunLog.open(run, { ...device, now: Date.now })
    }
    const again = await handleOf(await device.open(), run)
    await again.until(({ status }) => status === 'paused')
    expect(await again.setAside()).toHaveLength(2)
    await again.retry()
    await again.send('pay', null)
    const { error } = await again.until(({ error: said }) => said?.code === 'outcome_unknown')
    expect(error?.details).toMatchObject({ key: (start.body as { key: string }).key })
  })

  it('takes what the edge has, and goes on as if nothing had happened', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [payer], ownerAlive: () => false })
    const { device, digest } = await paid(2, { edge })
    damage(device, (line) => parseLine(line).digest === digest)
    const handle = await handleOf(await device.open(), run)
    await handle.until(({ state, status }) => (state as { paid: number }).paid === 2 && status === 'waiting')
    expect(await handle.setAside()).toHaveLength(1)
    expect(handle.entries().some(({ kind }) => kind === 'pause')).toBe(false)
  })

  it('goes to an edge that has nothing of it from its newest snapshot on, when what was before is damaged', async () => {
    const device = testDevice([counter])
    await count(device, 0, 3)
    damage(device, (line) => parseLine(line).seq === 2)
    const edge = memoryEdge({ clock: testClock })
    const handle = await handleOf(await testDevice([counter], { storage: device, edge }).open(), run)
    await handle.synced()
    const { lines } = await edge.remote.pull(run, 0, 'phone' as OwnerId)
    expect(parseLine(lines[0] as Uint8Array).seq).toBeGreaterThan(2)
    expect(handle.view()).toMatchObject({ status: 'waiting', state: { count: 3 } })
    expect(await handle.setAside()).toEqual([])
  })

  it('pauses where the edge has the last of it, when what it has not is damaged', async () => {
    const edge = memoryEdge({ clock: testClock })
    const storage = testDevice([counter])
    const withEdge = testDevice([counter], { storage, edge })
    const known = await count(withEdge, 0, 1, (handle) => handle.synced())
    await count(storage, 1, 3)
    damage(storage, (line) => parseLine(line).seq === known + 2)
    const handle = await handleOf(await withEdge.open(), run)
    const paused = await handle.until(({ status }) => status === 'paused')
    expect(paused).toMatchObject({ pause: { reason: 'set aside' }, state: { count: 1 } })
    await handle.synced()
    expect(await handle.setAside()).toHaveLength(1)
  })

  it.for([
    ['cannot be read', () => 9, 0x80],
    ['is another one', (line: Uint8Array) => fromUtf8(line).indexOf('"time":') + 9, 1],
  ] as const)(
    'goes on where what it and the edge both have %s here, as long as it is not needed',
    async ([, at, mask]) => {
      const edge = memoryEdge({ clock: testClock })
      const storage = testDevice([counter])
      const withEdge = testDevice([counter], { storage, edge })
      const known = await count(withEdge, 0, 1, (handle) => handle.synced())
      await count(storage, 1, 3)
      damage(storage, (line) => fromUtf8(line).includes(`"run":"run","seq":${String(known)},`), { at, mask })
      const handle = await handleOf(await withEdge.open(), run)
      const view = await handle.until(
        ({ status, sync, head }) => status === 'waiting' && sync.synced?.seq === head.seq,
      )
      expect(view.state).toEqual({ count: 3 })
      expect(await handle.setAside()).toEqual([])
      expect((await edge.remote.pull(run, undefined, 'phone' as OwnerId)).head).toEqual(view.head)
    },
  )

  it('pauses where the edge has the last of it, when neither that nor what came next can be read here', async () => {
    const edge = memoryEdge({ clock: testClock })
    const storage = testDevice([counter])
    const withEdge = testDevice([counter], { storage, edge })
    const known = await count(withEdge, 0, 1, (handle) => handle.synced())
    await count(storage, 1, 3)
    const damaged = [known, known + 2].map((seq) => `"run":"run","seq":${String(seq)},`)
    damage(storage, (line) => damaged.some((header) => fromUtf8(line).includes(header)))
    const handle = await handleOf(await withEdge.open(), run)
    const paused = await handle.until(({ status }) => status === 'paused')
    expect(paused).toMatchObject({ pause: { reason: 'set aside' }, state: { count: 1 } })
    expect(await handle.setAside()).toHaveLength(1)
    await handle.retry()
    await handle.until(({ status, sync, head }) => status === 'waiting' && sync.synced?.seq === head.seq)
  })

  it('takes all that the edge has, where that parted from what is here and what both have is damaged here', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [counter], ownerAlive: () => false })
    const storage = testDevice([counter])
    const withEdge = testDevice([counter], { storage, edge })
    const known = await count(withEdge, 0, 1, (handle) => handle.synced())
    await count(storage, 1, 3)
    const phone = await testDevice([counter], { name: 'phone', edge }).open()
    const taken = await handleOf(phone, run)
    await taken.until(({ state }) => (state as { count: number }).count === 1)
    await taken.move('here', { force: true })
    await taken.send('add', null)
    await taken.until(({ state }) => (state as { count: number }).count === 2)
    await taken.synced()
    damage(storage, (line) => fromUtf8(line).includes(`"run":"run","seq":${String(known)},`))
    const handle = await handleOf(await withEdge.open(), run)
    const view = await handle.until(({ owner }) => owner === 'phone')
    expect(view.state).toEqual({ count: 2 })
    expect(await handle.setAside()).toHaveLength(1)
  })

  it('goes on, and says so, when not even its beginning can be read any more', async () => {
    let isDamaged = false
    const storage = testDevice([])
    const { read } = storage.store
    storage.store.read = async (...args) => {
      const page = await read(...args)
      return page.map((line) => (isDamaged && fromUtf8(line).includes('"seq":0,') ? line.with(9, 0) : line))
    }
    const { edge, connect } = later(memoryEdge({ clock: hastyClock }))
    const { agent, first, begun } = waiter()
    const runtime = await testDevice([agent], { storage, edge, clock: hastyClock }).open()
    const handle = await handleOf(runtime, await runtime.start('waiter', null, { id: run }))
    await first
    isDamaged = true
    connect()
    await handle.until(({ sync }) => sync.error?.code === 'entry_refused')
    expect(begun()).toBe(1)
    await runtime.close()
  })

  it('that an edge refuses for no reason is offered again after a while, and goes on meanwhile', async () => {
    const { remote, blobs } = memoryEdge({ clock: hastyClock })
    const fifth = Promise.withResolvers<void>()
    let pushes = 0
    const push = (): Promise<never> => {
      pushes += 1
      if (pushes === 5) fifth.resolve()
      return Promise.reject(new WaystoneError('log_damaged', 'this edge takes nothing'))
    }
    const { agent, begun } = waiter()
    const edge = { blobs, remote: { ...remote, push } }
    const runtime = await testDevice([agent], { edge, clock: hastyClock }).open()
    const handle = await handleOf(runtime, await runtime.start('waiter', null, { id: run }))
    await fifth.promise
    expect(handle.sync.error?.code).toBe('log_damaged')
    // It was stopped once, to look what the edge has.
    expect(begun()).toBeLessThanOrEqual(2)
    await runtime.close()
  })

  it('does not go back to where it is damaged, and goes on', async () => {
    const device = testDevice([counter])
    await count(device, 0, 3)
    damage(device, (line) => parseLine(line).seq === 2)
    const handle = await handleOf(await device.open(), run)
    await handle.rewind({ seq: 2 })
    await handle.until(() => handle.entries().some(({ kind }) => kind === 'refuse'))
    await handle.send('add', null)
    await handle.until(
      ({ state, status }) => (state as { count: number }).count === 4 && status === 'waiting',
    )
  })

  it('of which nothing can be read says so, and is left as it is', async () => {
    const { device } = await paid(2)
    damage(device, (line) => parseLine(line).seq === 0)
    const opening = handleOf(await device.open(), run)
    await expect(opening).rejects.toMatchObject({ code: 'log_damaged' })
    expect(await device.tails.list(run)).toEqual([])
  })
})
