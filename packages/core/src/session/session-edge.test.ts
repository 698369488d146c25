import { describe, expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import type { OwnerId, RunId } from '../ids.ts'
import { parseLine } from '../log/entry.ts'
import { memoryChannels } from '../memory/memory-hosts.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { memoryEdge } from '../runtime/memory-edge.test-support.ts'
import { hastyClock, testClock } from '../runtime/memory-world.test-support.ts'
import type { Edge } from '../sync/syncer.ts'
import type { SessionRetention } from './options.ts'
import type { ForkedSession } from './session.ts'
import { cuttable, open, pairs, until, type Notes, type TestOptions } from './session.test-support.ts'

const note =
  (text: string) =>
  (draft: Notes): void =>
    void draft.notes.push(text)

const newEdge = (): Edge => memoryEdge({ clock: testClock, ownerAlive: () => false })

/** Two devices with an edge between them, and a network that each can lose. */
function world() {
  const edge = newEdge()
  const device = (me: string, options: TestOptions<Notes> = {}) => {
    const network = cuttable(edge)
    const storage = options.storage ?? memoryStorage()
    const opening = { me, edge: network.edge, clock: hastyClock, ...options, storage }
    return { network, storage, open: () => open(opening) }
  }
  return { laptop: device('laptop'), phone: device('phone'), edge, device }
}

describe('a session at the edge', () => {
  it('is on another device what it is here, its records too', async () => {
    const { laptop, phone } = world()
    const here = await laptop.open()
    await here.update(note('from the laptop'))
    await here.put('key', 'x'.repeat(100_000))
    await here.synced()
    expect(here.sync).toEqual({ online: true, synced: here.head })
    const there = await phone.open()
    expect(there.role).toBe('reader')
    expect(there.state.notes).toEqual(['from the laptop'])
    expect(await there.get('key')).toBe('x'.repeat(100_000))
    await here.update(note('more'))
    await until(() => there.state.notes.length > 1)
    expect(there.head).toEqual(here.head)
    expect(there.sync).toEqual({ online: true, synced: there.head })
  })

  it('is claimed by the device that writes it, at what the edge has', async () => {
    const { laptop, phone } = world()
    const here = await laptop.open()
    const there = await phone.open()
    await here.update(note('one'))
    await here.synced()
    await there.update(note('two'))
    expect(there.role).toBe('writer')
    expect(there.state.notes).toEqual(['one', 'two'])
    await until(() => here.role === 'reader')
    await there.synced()
    await here.put('key', 1)
    expect(here.role).toBe('writer')
    await here.update(note('three'))
    expect(here.state.notes).toEqual(['one', 'two', 'three'])
  })

  it("with claim: 'ask' is written only after claim()", async () => {
    const { laptop, device } = world()
    const here = await laptop.open()
    await here.synced()
    const there = await device('phone', { claim: 'ask' }).open()
    const refused = { code: 'not_owner', actions: ['move'], details: { owner: 'laptop' } }
    await expect(there.update(note('x'))).rejects.toMatchObject(refused)
    await expect(there.put('x', 1)).rejects.toMatchObject(refused)
    await expect(there.label('x')).rejects.toMatchObject(refused)
    await expect(there.rewind({ seq: 0 })).rejects.toMatchObject(refused)
    const fork = await there.fork()
    await fork.update(note('mine'))
    await there.claim()
    await there.update(note('now'))
    expect(there.state.notes).toEqual(['now'])
    expect(fork.state.notes).toEqual(['mine'])
  })

  it('that cannot be reached rejects a claim with `unreachable`, and nothing is written', async () => {
    const { laptop, phone } = world()
    await (await laptop.open()).synced()
    const there = await phone.open()
    const { head } = there
    phone.network.cut()
    await expect(there.update(note('x'))).rejects.toMatchObject({ code: 'unreachable' })
    await expect(there.claim()).rejects.toMatchObject({ code: 'unreachable' })
    expect(there.head).toEqual(head)
    phone.network.mend()
    await there.update(note('y'))
    expect(there.state.notes).toEqual(['y'])
  })

  it('keeps no more there than its owner says, and is whole on a device that has nothing of it', async () => {
    const edge = memoryEdge({ clock: testClock, ownerAlive: () => false, tidies: true })
    const kept = async (retention?: SessionRetention) => {
      const id = retention ? 'short' : 'long'
      const here = await open({ id, edge, ...(retention ? { retention } : {}) })
      for (let count = 0; count < 60; count += 1) {
        await here.update((draft) => {
          draft.notes = [`${String(count)} `.repeat(10_000)]
          draft.count += 1
        })
        if (count === 9) await here.label('tenth')
        if (count === 40) await here.put('page', 'one')
        // Snapshots are made between others' tasks.
        await testClock.task()
      }
      await here.synced()
      const storage = memoryStorage()
      const there = await open({ id, edge, me: 'phone', storage })
      expect(there.state).toEqual(here.state)
      const { lines } = await edge.remote.pull(here.id, 0, 'phone' as OwnerId)
      return { first: parseLine(lines[0] as Uint8Array).seq, here, there }
    }
    expect((await kept()).first).toBe(0)
    const { first, here, there } = await kept({ saves: 5 })
    expect(first).toBeGreaterThan(20)
    expect(await there.get('page')).toBe('one')
    const [label] = (await here.list()).filter(({ label: name }) => name === 'tenth')
    expect((await here.load({ seq: label?.seq ?? -1 })).state.count).toBe(10)
    await there.update(note('mine'))
    expect(there.state.notes).toHaveLength(2)
  })

  it('cannot be claimed without an edge', async () => {
    const { laptop } = world()
    await (await laptop.open()).close()
    const other = await open({ storage: laptop.storage, me: 'phone' })
    expect(other.role).toBe('reader')
    await expect(other.update(note('x'))).rejects.toMatchObject({ code: 'not_owner', actions: ['fork'] })
    await expect(other.claim()).rejects.toMatchObject({ code: 'not_owner' })
  })

  it('is claimed although the answer is lost', async () => {
    const { laptop, device, edge } = world()
    await (await laptop.open()).synced()
    const claim: Edge['remote']['claim'] = async (...args) => {
      await edge.remote.claim(...args)
      throw new WaystoneError('unreachable', 'the answer was lost')
    }
    const follow: Edge['remote']['follow'] = () => ({ tell: () => undefined, close: () => undefined })
    const remote = { ...edge.remote, claim, follow }
    const there = await device('phone', { edge: { ...edge, remote } }).open()
    await there.update(note('mine'))
    expect(there.role).toBe('writer')
  })

  it('of a newer version stays with its owner', async () => {
    const { laptop, device } = world()
    const there = await device('phone').open()
    await there.synced()
    const here = await device('laptop', { version: 2, migrate: { 2: (state: Notes) => state } }).open()
    await here.update(note('newer'))
    await here.synced()
    await expect(there.update(note('older'))).rejects.toMatchObject({ code: 'version_skew' })
    expect(there.state.notes).toEqual([])
    expect(here.role).toBe('writer')
    await expect(laptop.open()).rejects.toMatchObject({ code: 'version_skew' })
  })

  it('comes to a tab that cannot reach it by one that can', async () => {
    const { laptop, phone } = world()
    const channels = memoryChannels()
    const { storage } = laptop
    const follow: Edge['remote']['follow'] = () => ({ tell: () => undefined, close: () => undefined })
    const remote = { ...laptop.network.edge.remote, follow }
    const edge = { ...laptop.network.edge, remote }
    const one = await open({ storage, edge, channel: channels() })
    const two = await open({ storage, channel: channels() })
    await one.synced()
    await (await phone.open()).update(note('from the phone'))
    await one.refresh()
    await until(() => two.state.notes.length > 0)
    expect(two.role).toBe('reader')
  })

  it('goes on without a network, and is brought there with it', async () => {
    const { laptop, phone } = world()
    laptop.network.cut()
    const here = await laptop.open()
    await here.update(note('offline'))
    await here.put('key', 'value')
    let isSynced = false
    const synced = here.synced().then(() => (isSynced = true))
    await testClock.task()
    expect(isSynced).toBe(false)
    expect(here.sync.online).toBe(false)
    laptop.network.mend()
    await synced
    const there = await phone.open()
    expect(there.state.notes).toEqual(['offline'])
    expect(await there.get('key')).toBe('value')
  })

  it('tells why it cannot be kept there', async () => {
    const edge = newEdge()
    const pull = (): Promise<never> =>
      Promise.reject(new WaystoneError('unauthorized', 'the token is not valid'))
    const here = await open({ edge: { ...edge, remote: { ...edge.remote, pull } } })
    await here.update(note('kept here'))
    expect(here.sync.error).toMatchObject({ code: 'unauthorized' })
    await here.close()
  })

  it('gives values that are only there to a log that begins with a snapshot', async () => {
    const { laptop, phone } = world()
    const here = await laptop.open()
    await here.put('old', 'from the beginning')
    for (let save = 0; save < 30; save += 1) {
      await here.save({ notes: [String(save).repeat(10_000)], count: save })
      for (let tasks = 0; tasks < 5; tasks += 1) await testClock.task()
    }
    await here.synced()
    const there = await phone.open()
    const [first] = await phone.storage.store.read(there.id, 0)
    expect((JSON.parse(new TextDecoder().decode(first)) as { seq: number }).seq).toBeGreaterThan(5)
    expect(there.state).toEqual(here.state)
    phone.network.cut()
    await expect(there.get('old')).rejects.toMatchObject({ code: 'unreachable' })
    phone.network.mend()
    expect(await there.get('old')).toBe('from the beginning')
    expect(await pairs(there.range())).toEqual([['old', 'from the beginning']])
    await there.put('new', 'from the beginning, more or less', { like: 'old' })
    expect(await there.get('new')).toBe('from the beginning, more or less')
    const fork = await there.fork({ id: 'fork' })
    expect(await fork.get('old')).toBe('from the beginning')
  })
})

describe('what was written while somebody else wrote', () => {
  /** The laptop and the phone have both written after `shared`; the phone was first at the edge, which the laptop cannot reach. */
  async function apart(storage = memoryStorage()) {
    const { device, phone } = world()
    const laptop = device('laptop', { storage })
    const here = await laptop.open()
    const forks: ForkedSession<Notes>[] = []
    here.onForked((forked) => forks.push(forked))
    await here.update(note('shared'))
    await here.put('shared', 'a text that both have, and that one of them changes')
    await here.synced()
    const there = await phone.open()
    laptop.network.cut()
    await here.update(note('of the laptop'))
    await here.put('laptop', 'a text that both have, and that one of them has changed', { like: 'shared' })
    await there.update(note('of the phone'))
    await there.synced()
    return { laptop, here, there, forks }
  }

  /** The laptop has the network again, and has been told. */
  async function parted() {
    const { laptop, here, there, forks } = await apart()
    laptop.network.mend()
    await until(() => forks.length > 0)
    return { laptop, here, there, forks, forked: forks[0] as ForkedSession<Notes> }
  }

  it('is set aside and told, with where the two parted', async () => {
    const { here, there, forks, forked } = await parted()
    expect(forks).toHaveLength(1)
    expect(forked.base?.notes).toEqual(['shared'])
    expect(forked.mine.notes).toEqual(['shared', 'of the laptop'])
    expect(forked.theirs.notes).toEqual(['shared', 'of the phone'])
    expect(await pairs(forked.records.range())).toEqual([
      ['laptop', 'a text that both have, and that one of them has changed'],
      ['shared', 'a text that both have, and that one of them changes'],
    ])
    expect(here.state).toEqual(there.state)
    expect(here.role).toBe('reader')
    expect([...here.records().keys()]).toEqual(['shared'])
    await here.update((draft) => void draft.notes.push(...forked.mine.notes.slice(1)))
    expect(here.state.notes).toEqual(['shared', 'of the phone', 'of the laptop'])
  })

  it('has been told when a refresh that sets it aside resolves', async () => {
    const storage = memoryStorage()
    const { tails } = storage
    const list: typeof tails.list = async (run) => {
      for (let tasks = 0; tasks < 50; tasks += 1) await testClock.task()
      return tails.list(run)
    }
    const { laptop, here, forks } = await apart({ ...storage, tails: { ...tails, list } })
    laptop.network.mend()
    await here.refresh()
    expect(forks.map(({ mine }) => mine.notes)).toEqual([['shared', 'of the laptop']])
  })

  it('and could not be read is told by a later refresh, once', async () => {
    const storage = memoryStorage()
    const { tails } = storage
    let isBroken = true
    const list: typeof tails.list = (run) =>
      isBroken ? Promise.reject(new WaystoneError('storage_failed', 'a bad block')) : tails.list(run)
    const { laptop, here, forks } = await apart({ ...storage, tails: { ...tails, list } })
    laptop.network.mend()
    await here.refresh()
    expect(here.state.notes).toEqual(['shared', 'of the phone'])
    expect(forks).toEqual([])
    isBroken = false
    for (let count = 0; count < 2; count += 1) {
      await here.refresh()
      expect(forks.map(({ mine }) => mine.notes)).toEqual([['shared', 'of the laptop']])
    }
  })

  it('can be kept as a session of its own, and dropped', async () => {
    const { laptop, here, forked } = await parted()
    const kept = await forked.keep({ id: 'kept' })
    expect(kept.state.notes).toEqual(['shared', 'of the laptop'])
    expect(await kept.get('laptop')).toBe('a text that both have, and that one of them has changed')
    await kept.update(note('and on'))
    await here.close()
    const again = await laptop.open()
    const told: ForkedSession<Notes>[] = []
    again.onForked((one) => told.push(one))
    await until(() => told.length > 0)
    expect(told[0]?.mine.notes).toEqual(['shared', 'of the laptop'])
    await told[0]?.drop()
    const last = await laptop.open()
    last.onForked((one) => told.push(one))
    await last.update(note('x'))
    expect(told).toHaveLength(1)
    expect(await laptop.storage.tails.list('notes' as RunId)).toEqual([])
  })

  it('is told too when two devices began the same session without a network', async () => {
    const { laptop, phone } = world()
    laptop.network.cut()
    const here = await laptop.open()
    await here.update(note('of the laptop'))
    const there = await phone.open()
    await there.update(note('of the phone'))
    await there.synced()
    const forks: ForkedSession<Notes>[] = []
    here.onForked((forked) => forks.push(forked))
    laptop.network.mend()
    await until(() => forks.length > 0)
    expect(forks[0]).toMatchObject({ base: undefined, mine: { notes: ['of the laptop'] } })
    expect(here.state.notes).toEqual(['of the phone'])
    await here.update(note('of both'))
    expect(here.state.notes).toEqual(['of the phone', 'of both'])
  })

  it('is nothing that was acknowledged and lost, however devices claim and lose their networks', async () => {
    const { laptop, phone } = world()
    const devices = [laptop, phone]
    const sessions = await Promise.all(devices.map((device) => device.open()))
    const kept = new Set<string>()
    const forks: ForkedSession<Notes>[] = []
    for (const session of sessions) session.onForked((forked) => forks.push(forked))
    let random = 7
    const chance = (of: number): boolean => (random = (random * 48_271) % 2_147_483_647) % of === 0
    await Promise.all(
      sessions.map(async (session, index) => {
        for (let at = 0; at < 60; at += 1) {
          const text = `${String(index)}/${String(at)}`
          if (chance(6)) devices[index]?.network.cut()
          if (chance(3)) devices[index]?.network.mend()
          await session.update(note(text)).then(
            () => kept.add(text),
            (error: unknown) => expect(error).toMatchObject({ code: 'unreachable' }),
          )
          if (chance(2)) await testClock.task()
        }
      }),
    )
    for (const { network } of devices) network.mend()
    for (const session of sessions) {
      await session.refresh()
      await session.synced()
    }
    for (const session of sessions) await session.refresh()
    await until(() => sessions[0]?.head.digest === sessions[1]?.head.digest)
    for (const session of sessions) session.onForked((forked) => forks.push(forked))
    const found = (): ReadonlySet<string> =>
      new Set([...(sessions[0]?.state.notes ?? []), ...forks.flatMap(({ mine }) => mine.notes)])
    await until(() => {
      const all = found()
      return [...kept].every((text) => all.has(text))
    })
    expect(kept.size).toBeGreaterThan(40)
    expect(forks.length).toBeGreaterThan(0)
  })
})
