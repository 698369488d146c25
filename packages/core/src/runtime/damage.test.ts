import { describe, expect, it } from 'vitest'
import { defineAgent, next } from '../engine/agent.ts'
import type { OwnerId } from '../ids.ts'
import { parseLine, type ParsedEntry } from '../log/entry.ts'
import { run } from '../log/log.test-support.ts'
import { fromUtf8 } from '../state/digest.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import { damage, paid, payer } from './payer.test-support.ts'
import type { RunHandle } from './run-handle.ts'

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

  it.each([
    ['key is another one', 'key', /[0-9]/],
    ['key is none', 'key', /[af]/],
    ['path is another one', 'path', /[a-z]/],
  ] as const)('asks about an effect whose %s, by the key that it has', async (_, field, changed) => {
    const { device, digest } = await paid(2)
    const lines = (await device.store.read(run, 0)).map(parseLine)
    const start = lines.find((line) => line.digest === digest) as ParsedEntry
    const { path, key } = start.body as { readonly path: string; readonly key: string }
    const text = field === 'key' ? key : path
    const within = text.search(changed)
    damage(
      device,
      (line) => parseLine(line).digest === digest,
      (line) => fromUtf8(line).indexOf(text) + within,
    )
    const handle = await handleOf(await device.open(), run)
    await handle.until(({ status }) => status === 'paused')
    await handle.retry()
    await handle.until(({ pause }) => pause?.reason !== 'set aside')
    const keys: unknown[] = []
    for (;;) {
      const { status, pause, error } = await handle.until(
        (view) => view.status === 'paused' || (view.state as { paid: number }).paid === 2,
      )
      if (status !== 'paused') break
      expect(pause?.reason).toBe('outcome')
      const asked = error?.details as { readonly start: string; readonly key: string }
      keys.push(asked.key)
      await handle.decide(asked.start, { type: 'done', value: 'charged' })
      await handle.until((view) => view.pause !== pause)
    }
    expect(keys).toContain(key)
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

  it('of which nothing can be read says so, and is left as it is', async () => {
    const { device } = await paid(2)
    damage(device, (line) => parseLine(line).seq === 0)
    const opening = handleOf(await device.open(), run)
    await expect(opening).rejects.toMatchObject({ code: 'log_damaged' })
    expect(await device.tails.list(run)).toEqual([])
  })
})
