import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import { parseLine } from '../log/entry.ts'
import { firstIn, run } from '../log/log.test-support.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { listener, tell, type Heard } from './listener.test-support.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { Follow } from '../ports/remote.ts'
import type { Edge } from '../sync/syncer.ts'
import type { RunHandle } from './run-handle.ts'

const agent = listener({ turns: 3, labelled: 4 })

function heardBy(handle: RunHandle): Heard {
  return handle.view()?.state as Heard
}

/** An edge as a device without a network has it. */
function unreachable({ blobs }: Edge): Edge {
  const fails = (): Promise<never> => Promise.reject(new WaystoneError('unreachable', 'there is no network'))
  const follow = (): Follow => ({ tell: () => undefined, close: () => undefined })
  const remote = { push: fails, pull: fails, claim: fails, hold: fails, blockers: fails, send: fails, follow }
  return { remote, blobs }
}

/** A device on which a run has heard so many words, all of which the edge has. It is closed. */
async function heardOn(edge: Edge, words: number): Promise<ReturnType<typeof testDevice>> {
  const laptop = testDevice([agent], { name: 'laptop', edge })
  const runtime = await laptop.open()
  const handle = await handleOf(runtime, await runtime.start('listener', null, { id: run }))
  await tell(handle, 0, words)
  await handle.synced()
  await runtime.close()
  return laptop
}

/** Waits until what happens in the background has let entries go. */
async function untilTrimmed(device: ReturnType<typeof testDevice>, after = 0): Promise<void> {
  while ((await firstIn(device)) <= after) await testClock.task()
}

describe('a run of which entries were let go', () => {
  it('goes on where it was, and shows what is kept', async () => {
    const device = testDevice([agent])
    const runtime = await device.open()
    const handle = await handleOf(runtime, await runtime.start('listener', null, { id: run }))
    await tell(handle, 0, 60)
    await untilTrimmed(device)
    await runtime.close()
    const reopened = await device.open()
    const again = await handleOf(reopened, run)
    await tell(again, 60, 65)
    expect(heardBy(again).heard).toHaveLength(20)
    expect(heardBy(again).count).toBe(65)
    expect(again.entries()[0]?.seq).toBeGreaterThan(await firstIn(device))
    const shown = again.entries().length
    expect(await again.loadEarlier()).toBe(true)
    expect(again.entries().length).toBeGreaterThan(shown)
    expect(again.entries().map(({ seq }) => seq)).toEqual(
      again.entries().map((_, index) => index + (again.entries()[0]?.seq ?? 0)),
    )
    expect(again.checkpoints()).toHaveLength(again.entries().length)
    while (await again.loadEarlier());
    expect(again.entries()[0]?.seq).toBeLessThanOrEqual((await firstIn(device)) + 1)
  })

  it('can be forked at its labelled checkpoint, and not where nothing is kept', async () => {
    const device = testDevice([agent])
    const runtime = await device.open()
    const handle = await handleOf(runtime, await runtime.start('listener', null, { id: run }))
    const labelled = new Promise<number>((resolve) => {
      handle.subscribe(() => {
        const label = handle.entries().find(({ kind }) => kind === 'label')
        if (label) resolve(label.seq)
      })
    })
    await tell(handle, 0, 60)
    await untilTrimmed(device, await labelled)
    const fork = await handleOf(runtime, await handle.fork({ seq: await labelled }))
    await fork.until(({ state }) => (state as Heard).count === 4)
    await tell(fork, 4, 6)
    expect(heardBy(fork).heard).toHaveLength(6)
    await expect(handle.fork({ seq: (await labelled) + 2 })).rejects.toMatchObject({
      code: 'checkpoint_gone',
    })
  })

  it('does not go back to one of them, and undoes no effect for it', async () => {
    let undone = 0
    const payer = defineAgent({
      name: 'payer',
      version: 1,
      retention: { turns: 0, age: 0 },
      inbox: {},
      initial: () => ({ count: 0, pad: '' }),
      async turn(ctx, state) {
        const undo = (): void => void (undone += 1)
        if (state.count === 19) await ctx.once('pay', { timeout: '1s', undo }, () => 'paid')
        if (state.count === 20) await ctx.receive('go' as never)
        state.count += 1
        state.pad = String(state.count % 10).repeat(40_000)
        return state.count === 21 ? done() : next()
      },
    })
    const device = testDevice([payer])
    const runtime = await device.open()
    const handle = await handleOf(runtime, await runtime.start('payer', null, { id: run }))
    await handle.until(({ state }) => (state as { count: number }).count === 20)
    await untilTrimmed(device, 5)
    await handle.rewind({ seq: 2, undo: true })
    await handle.until(() => handle.entries().some(({ kind }) => kind === 'refuse' || kind === 'pause'))
    expect(undone).toBe(0)
    expect(handle.view()?.status).not.toBe('paused')
    await handle.send('go', null)
    await handle.result()
  })

  it('is followed and taken over by a device that has nothing of it', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [agent], ownerAlive: () => false })
    await heardOn(edge, 60)
    const phone = testDevice([agent], { name: 'phone', edge })
    const second = await phone.open()
    const taken = await handleOf(second, run)
    await taken.until(({ state }) => (state as Heard).count === 60)
    // It was not read from its first entry on.
    expect(await firstIn(phone)).toBeGreaterThan(40)
    await taken.move('here', { force: true })
    await tell(taken, 60, 62)
    await taken.synced()
  })

  it('is shown while whoever stores it has not put its snapshot yet where those are looked for', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [agent], ownerAlive: () => false })
    await heardOn(edge, 60)
    const storage = memoryStorage()
    const put = (): Promise<void> => new Promise(() => undefined)
    const slow = { ...storage, snapshots: { ...storage.snapshots, put } }
    const followed = await testDevice([agent], { name: 'phone', edge, storage: slow }).open()
    // It never ends: what is stored by then is all that there will be.
    void handleOf(followed, run)
    while ((await storage.store.head(run)) === undefined) await testClock.task()
    const phone = await testDevice([agent], { name: 'phone', storage }).open()
    const shown = await handleOf(phone, run)
    expect(shown.view()?.state).toMatchObject({ count: 60 })
    await phone.close()
  })

  it('goes to an edge that is there only now, from its newest snapshot on', async () => {
    const alone = testDevice([agent])
    const first = await alone.open()
    const handle = await handleOf(first, await first.start('listener', null, { id: run }))
    await tell(handle, 0, 60)
    await untilTrimmed(alone)
    await first.close()
    const edge = memoryEdge({ clock: testClock, agents: [agent], ownerAlive: () => false })
    const connected = testDevice([agent], { storage: alone, edge })
    const again = await handleOf(await connected.open(), run)
    await again.synced()
    const phone = testDevice([agent], { name: 'phone', edge })
    const there = await handleOf(await phone.open(), run)
    await there.until(({ state }) => (state as Heard).count === 60)
    expect(heardBy(there)).toEqual(heardBy(again))
  })

  it('takes up a device that was away until what comes next was let go', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [agent], ownerAlive: () => false, tidies: true })
    const laptop = await heardOn(edge, 5)
    // Without a network it heard one more word: an entry that is set aside, and then somebody else is to hear it.
    const alone = await testDevice([agent], {
      name: 'laptop',
      storage: laptop,
      edge: unreachable(edge),
    }).open()
    await tell(await handleOf(alone, run), 5, 6, 'alone')
    await alone.close()
    const behind = (await laptop.store.head(run))?.seq ?? 0
    const phone = testDevice([agent], { name: 'phone', edge })
    const second = await phone.open()
    const taken = await handleOf(second, run)
    await taken.move('here', { force: true })
    await tell(taken, 5, 80)
    await taken.synced()
    for (;;) {
      const { lines } = await edge.remote.pull(run, 0, 'laptop' as never)
      if (parseLine(lines[0] as Uint8Array).seq > behind + 1) break
      await testClock.task()
    }
    const back = await laptop.open()
    const again = await handleOf(back, run)
    await again.until(({ state }) => (state as Heard).count === 81)
    expect(heardBy(again).heard.at(-1)).toContain('alone5 ')
    expect(heardBy(again).heard).toEqual(heardBy(taken).heard)
    expect((await again.setAside()).length).toBe(1)
  })
})
