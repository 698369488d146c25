import { describe, expect, it } from 'vitest'
import { RunLog } from '../log/run-log.ts'
import { memoryChannels, memoryLocks } from '../memory/memory-hosts.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Channel } from '../ports/channel.ts'
import type { Clock } from '../ports/clock.ts'
import type { Locks } from '../ports/locks.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import { memoryEdge } from '../runtime/memory-edge.test-support.ts'
import { hastyClock, testClock, testRandom } from '../runtime/memory-world.test-support.ts'
import { open, until } from './session.test-support.ts'

/** Two tabs with a session of which the first has written, and a third that holds its lock and lets go no more. */
async function besideFrozenTab(clock: Clock) {
  const { acquire } = memoryLocks()
  await acquire('waystone:notes', new AbortController().signal)
  let ask = (): void => undefined
  const asked = new Promise<void>((resolve) => (ask = resolve))
  const locks: Locks = {
    acquire: (...args) => {
      ask()
      return acquire(...args)
    },
  }
  const shared = { storage: memoryStorage(), locks, clock }
  const [one, two] = [await open(shared), await open(shared)]
  await one.update((draft) => void draft.notes.push('one'))
  return { two, asked }
}

describe('a write of a session whose lock a frozen tab holds', () => {
  it('is made although others were faster', async () => {
    const { two } = await besideFrozenTab(hastyClock)
    const updated = await two.update((draft) => void draft.notes.push('two'))
    expect(updated.notes).toEqual(['one', 'two'])
  })

  it('says that the session was closed, when that comes first', async () => {
    const { two, asked } = await besideFrozenTab(testClock)
    const writing = two.update((draft) => void draft.notes.push('two'))
    writing.catch(() => undefined)
    await asked
    await two.close()
    await expect(writing).rejects.toMatchObject({ code: 'closed' })
  })
})

it('a session that may have missed what other tabs have told reads it', async () => {
  const storage = memoryStorage()
  let miss = (): void => undefined
  const channel: Channel = {
    post: () => undefined,
    listen: () => () => undefined,
    onMissed(listener) {
      miss = listener
      return () => undefined
    },
    close: () => undefined,
  }
  const reader = await open({ storage, channel })
  const writer = await open({ storage })
  await writer.update((draft) => void draft.notes.push('meanwhile'))
  expect(reader.state.notes).toEqual([])
  miss()
  await until(() => reader.state.notes.length > 0)
})

describe('two tabs with one session that lets go of what it does not keep', () => {
  /** A text that makes a snapshot due, of which nothing is like another one. */
  const large = (): string => Buffer.from(testRandom(60_000)).toString('base64')

  it('do not let go of what the other one has just made', async () => {
    const storage = memoryStorage()
    const { acquire } = memoryLocks()
    let begin = (): void => undefined
    let goOn = (): void => undefined
    let isOpen = false
    const begun = new Promise<void>((resolve) => (begin = resolve))
    const gate = new Promise<void>((resolve) => (goOn = resolve))
    // The first looks which snapshots there are when the other has made one, or has given up to make it.
    const list: Snapshots['list'] = async (run) => {
      if (isOpen) {
        begin()
        await gate
      }
      return storage.snapshots.list(run)
    }
    const put: Snapshots['put'] = async (...args) => {
      await storage.snapshots.put(...args)
      goOn()
    }
    const locks: Locks = {
      acquire: (...args) => {
        const lock = acquire(...args)
        lock.catch(goOn)
        return lock
      },
    }
    const shared = { clock: hastyClock, retention: { saves: 1 } }
    const first = await open({
      ...{ ...shared, locks: { acquire } },
      storage: { ...storage, snapshots: { ...storage.snapshots, list } },
    })
    const other = await open({
      ...{ ...shared, locks },
      storage: { ...storage, snapshots: { ...storage.snapshots, put } },
    })
    isOpen = true
    await first.save({ notes: [large()], count: 1 })
    await begun
    const notes = [large()]
    await other.update((draft) => void Object.assign(draft, { notes, count: 2 }))
    await gate
    for (let tasks = 0; tasks < 100; tasks += 1) await testClock.task()
    await Promise.all([first.close(), other.close()])
    const again = await open({ storage })
    expect(again.state).toEqual({ notes, count: 2 })
    expect(again.damage).toBeUndefined()
    const { fold } = await RunLog.open(again.id, { ...storage, now: () => Date.now() })
    const made = fold?.snapshots.map(({ at }) => at.seq)
    expect(made).not.toEqual([])
    expect(await storage.snapshots.list(again.id)).toEqual(made)
  })
})

it('a tab that hears of another device by the tab beside it first knows that the edge has that', async () => {
  const edge = memoryEdge({ clock: testClock, ownerAlive: () => false })
  const storage = memoryStorage()
  const channels = memoryChannels()
  const later = Promise.withResolvers<void>()
  const follow: typeof edge.remote.follow = (run, options) => {
    const onEvent: typeof options.onEvent = (event) => void later.promise.then(() => options.onEvent(event))
    return edge.remote.follow(run, { ...options, onEvent })
  }
  await open({ storage, edge, channel: channels() })
  const slow = { ...edge, remote: { ...edge.remote, follow } }
  const beside = await open({ storage, edge: slow, channel: channels() })
  const phone = await open({ me: 'phone', edge })
  await phone.update((draft) => void draft.notes.push('from the phone'))
  await until(() => beside.state.notes.length === 1)
  later.resolve()
  await beside.synced()
  expect(beside.sync.synced?.digest).toBe(phone.head.digest)
})
