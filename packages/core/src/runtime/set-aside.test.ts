import { describe, expect, it } from 'vitest'
import type { AnyAgent } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import { run } from '../log/log.test-support.ts'
import { listener, tell, type Heard } from './listener.test-support.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

/** An edge that can be out of reach. */
function farEdge(agents: readonly AnyAgent[], tidies: boolean) {
  const edge = memoryEdge({ clock: testClock, agents, ownerAlive: () => false, tidies })
  const reach = { isThere: true }
  const away = <P extends object>(port: P): P =>
    new Proxy(port, {
      get: (target, key) => {
        const method = Reflect.get(target, key) as (...args: unknown[]) => unknown
        return (...args: unknown[]): unknown => {
          if (reach.isThere || key === 'follow') return method.apply(target, args)
          return Promise.reject(new WaystoneError('unreachable', 'the edge is away'))
        }
      },
    })
  return { edge, reach, far: { remote: away(edge.remote), blobs: away(edge.blobs) } }
}

/** A laptop wrote on while a phone took its run over. Each is told so many words after those that both have. */
async function apart({ turns, both, here, there, tidies, writes = false }: Apart) {
  const agents = [listener({ turns, writes })]
  const { edge, reach, far } = farEdge(agents, tidies)
  const laptop = testDevice(agents, { name: 'laptop', edge: far })
  const first = await laptop.open()
  const handle = await handleOf(first, await first.start('listener', null, { id: run }))
  await tell(handle, 0, both, 'both')
  await handle.synced()
  reach.isThere = false
  await tell(handle, both, both + here, 'laptop')
  await first.close()
  const second = await testDevice(agents, { name: 'phone', edge }).open()
  const taken = await handleOf(second, run)
  await taken.until(({ state }) => (state as Heard).count === both)
  await taken.move('here', { force: true })
  await tell(taken, both, both + there, 'phone')
  await taken.synced()
  reach.isThere = true
  const back = await laptop.open()
  return { back, taken, again: await handleOf(back, run) }
}

interface Apart {
  readonly turns: number
  readonly both: number
  readonly here: number
  readonly there: number
  readonly tidies: boolean
  readonly writes?: boolean
}

describe('a device whose entries are set aside', () => {
  it('shows the run as it is, though it has snapshots of what was set aside', async () => {
    const { back, taken, again } = await apart({ turns: 1_000, both: 10, here: 40, there: 3, tidies: false })
    await again.until(({ head }) => head.seq === taken.view()?.head.seq)
    const fresh = await handleOf(back, run)
    expect(fresh.error).toBeUndefined()
    expect(fresh.view()?.state).toEqual(taken.view()?.state)
  })

  it.for([
    { turns: 3, both: 100, here: 40, there: 40, tidies: false },
    { turns: 3, both: 100, here: 60, there: 30, tidies: true },
    { turns: 3, both: 100, here: 80, there: 80, tidies: true },
    { turns: 3, both: 100, here: 150, there: 5, tidies: true },
    { turns: 3, both: 100, here: 5, there: 150, tidies: true },
  ])('takes what the edge has, whatever each has let go of: %o', { timeout: 20_000 }, async (how) => {
    const { taken, again } = await apart(how)
    await again.until(({ head }) => head.seq === taken.view()?.head.seq)
    expect(again.view()?.state).toEqual(taken.view()?.state)
    expect(await again.setAside()).toHaveLength(1)
  })

  it('keeps the artifacts that were made in what was set aside', async () => {
    const { back, taken, again } = await apart({
      turns: 1_000,
      both: 2,
      here: 3,
      there: 2,
      tidies: false,
      writes: true,
    })
    await again.until(({ head }) => head.seq === taken.view()?.head.seq)
    const [aside] = await again.setAside()
    const kept = await handleOf(back, await again.keepAside(aside?.name ?? '', { id: 'kept' }))
    const artifacts = kept.view()?.artifacts ?? []
    expect(artifacts.map(({ name }) => name)).toEqual(expect.arrayContaining(['both0 ', 'laptop4 ']))
    for (const artifact of artifacts)
      expect(new TextDecoder().decode(await kept.artifact(artifact))).toBe(artifact.name)
  })

  it('sends what it took after the run, though an entry that was set aside had consumed it', async () => {
    const agents = [listener({ turns: 1_000 })]
    const { edge, reach, far } = farEdge(agents, false)
    const laptop = await testDevice(agents, { name: 'laptop', edge: far }).open()
    const handle = await handleOf(laptop, await laptop.start('listener', null, { id: run }))
    await tell(handle, 0, 3, 'both')
    await handle.synced()
    reach.isThere = false
    await tell(handle, 3, 4, 'laptop')
    const phone = await testDevice(agents, { name: 'phone', edge }).open()
    const taken = await handleOf(phone, run)
    await taken.until(({ state }) => (state as Heard).count === 3)
    await taken.move('here', { force: true })
    // The edge has more by then than the laptop ever had.
    await tell(taken, 3, 10, 'phone')
    await taken.synced()
    reach.isThere = true
    const { state } = await taken.until(({ state: now }) => (now as Heard).count === 11)
    expect((state as Heard).heard.at(-1)).toContain('laptop3')
    await laptop.close()
    await phone.close()
  })

  it('began the run anew because it had lost it: the one at the edge goes on, and what was begun is set aside', async () => {
    const agents = [listener({ turns: 3 })]
    const { reach, far } = farEdge(agents, false)
    const before = await testDevice(agents, { name: 'laptop', edge: far }).open()
    const lost = await handleOf(before, await before.start('listener', null, { id: run }))
    await tell(lost, 0, 2, 'before')
    await lost.synced()
    await before.close()
    reach.isThere = false
    const after = await testDevice(agents, { name: 'laptop', edge: far }).open()
    const begun = await handleOf(after, await after.start('listener', null, { id: run }))
    await tell(begun, 0, 1, 'anew')
    reach.isThere = true
    await after.thaw()
    const { state } = await begun.until((view) => (view.state as Heard).count === 2)
    expect((state as Heard).heard.every((word) => word.startsWith('before'))).toBe(true)
    expect(await begun.setAside()).toHaveLength(1)
    await tell(begun, 2, 3, 'after')
    await begun.synced()
    await after.close()
  })

  it('may keep them as a run of its own, and drop them', async () => {
    const { back, taken, again } = await apart({ turns: 1_000, both: 3, here: 4, there: 2, tidies: false })
    await again.until(({ head }) => head.seq === taken.view()?.head.seq)
    const [tail] = await again.setAside()
    const name = tail?.name ?? ''
    const kept = await handleOf(back, await again.keepAside(name, { id: 'kept' }))
    const view = await kept.until(({ status }) => status === 'waiting')
    expect((view.state as Heard).count).toBe(7)
    expect((view.state as Heard).heard.at(-1)).toContain('laptop6')
    expect(await again.setAside()).toHaveLength(1)
    expect(await again.keepAside(name, { id: 'kept' })).toBe('kept')
    await expect(again.keepAside('no such')).rejects.toMatchObject({ code: 'input_refused' })
    await again.dropAside(name)
    expect(await again.setAside()).toEqual([])
  })
})
