import { describe, expect, it } from 'vitest'
import { run } from '../log/log.test-support.ts'
import { listener, tell } from './listener.test-support.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'
import type { Edge } from '../sync/syncer.ts'

/** An edge in whose place another one can be put: one that was restored from an old copy, for example. */
function edgeToChange(first: Edge) {
  const now = { edge: first }
  const through = <P extends object>(port: (edge: Edge) => P): P =>
    new Proxy({} as P, { get: (_, key) => Reflect.get(port(now.edge), key) as unknown })
  return { now, edge: { remote: through((edge) => edge.remote), blobs: through((edge) => edge.blobs) } }
}

const agents = [listener({ turns: 1_000 })]
const newEdge = (): Edge => memoryEdge({ clock: testClock, agents, ownerAlive: () => false })

describe('an edge that has gone back', () => {
  it('is noticed by a device that it had acknowledged more to, and gets it again', async () => {
    const { now, edge } = edgeToChange(newEdge())
    const runtime = await testDevice(agents, { edge }).open()
    const handle = await handleOf(runtime, await runtime.start('listener', null, { id: run }))
    await tell(handle, 0, 3, 'before')
    await handle.synced()
    expect(handle.sync.error).toBeUndefined()
    now.edge = newEdge()
    await tell(handle, 3, 4, 'after')
    const view = await handle.until(({ sync }) => sync.error?.code === 'rolled_back')
    expect(view.sync.error?.message).toContain('found entry none as its last')
    await handle.synced()
    const { head } = await now.edge.remote.pull(run, 0, 'another' as never)
    expect(head).toEqual(handle.view()?.head)
    await runtime.close()
  })

  it('is noticed after a restart by the claims that it has lost', async () => {
    const first = newEdge()
    const { now, edge } = edgeToChange(first)
    const laptop = await testDevice(agents, { name: 'laptop', edge }).open()
    const there = await handleOf(laptop, await laptop.start('listener', null, { id: run }))
    await tell(there, 0, 2, 'laptop')
    await there.synced()
    const old = newEdge()
    const { lines } = await first.remote.pull(run, 0, 'laptop' as never)
    expect(await old.remote.push(run, { base: undefined, lines })).toMatchObject({ ok: true })
    await laptop.close()
    const phone = testDevice(agents, { name: 'phone', edge })
    const before = await phone.open()
    const taken = await handleOf(before, run)
    await taken.until(({ head }) => head.seq > 0)
    await taken.move('here', { force: true })
    await taken.synced()
    await before.close()
    now.edge = old
    const again = await handleOf(await phone.open(), run)
    await again.until(({ sync }) => sync.error?.code === 'rolled_back')
  })

  it('is noticed by a device that has never seen the run, and was told what another one has seen', async () => {
    const first = newEdge()
    const laptop = await testDevice(agents, { name: 'laptop', edge: first }).open()
    const there = await handleOf(laptop, await laptop.start('listener', null, { id: run }))
    await there.synced()
    const early = there.seen() as string
    const { lines } = await first.remote.pull(run, 0, 'laptop' as never)
    await tell(there, 0, 2, 'laptop')
    await there.synced()
    const seen = there.seen() as string
    const old = newEdge()
    expect(await old.remote.push(run, { base: undefined, lines })).toMatchObject({ ok: true })
    const open = async (edge: Edge, told: string): Promise<RunHandle> =>
      handleOf(await testDevice(agents, { name: 'phone', edge }).open(), run, told)
    const fooled = await open(old, seen)
    const { sync } = await fooled.until((view) => view.sync.error !== undefined)
    expect(sync.error).toMatchObject({ code: 'rolled_back', details: { found: { seq: lines.length - 1 } } })
    // Another log with as many entries is no better.
    const [seq] = early.split(':')
    const other = await open(first, `${String(seq)}:${'0'.repeat(64)}`)
    expect((await other.until((view) => view.sync.error !== undefined)).sync.error?.code).toBe('rolled_back')
    for (const told of [early, seen]) {
      const well = await open(first, told)
      await well.until(({ head }) => head.seq === there.view()?.head.seq)
      expect(well.sync.error).toBeUndefined()
    }
  })

  it('is not suspected of it by a device that hears of what it has before it comes', async () => {
    const edge = newEdge()
    const laptop = await testDevice(agents, { name: 'laptop', edge }).open()
    const there = await handleOf(laptop, await laptop.start('listener', null, { id: run }))
    await there.synced()
    const phone = await testDevice(agents, { name: 'phone', edge }).open()
    await (await handleOf(phone, run)).until(({ head }) => head.seq === there.view()?.head.seq)
    await tell(there, 0, 2, 'laptop')
    await there.synced()
    const told = await handleOf(phone, run, there.seen())
    await told.until(({ head }) => head.seq === there.view()?.head.seq)
    expect(told.sync.error).toBeUndefined()
  })

  it('is not suspected of it by a device that was away', async () => {
    const edge = newEdge()
    const laptop = testDevice(agents, { name: 'laptop', edge })
    const first = await laptop.open()
    const handle = await handleOf(first, await first.start('listener', null, { id: run }))
    await tell(handle, 0, 2, 'laptop')
    await handle.synced()
    await first.close()
    const phone = await testDevice(agents, { name: 'phone', edge }).open()
    const taken = await handleOf(phone, run)
    await taken.until(({ head }) => head.seq > 0)
    await taken.move('here', { force: true })
    await tell(taken, 2, 4, 'phone')
    await taken.synced()
    const back = await handleOf(await laptop.open(), run)
    await back.until(({ head }) => head.seq === taken.view()?.head.seq)
    expect(back.sync.error).toBeUndefined()
  })
})
