import { describe, expect, it } from 'vitest'
import { memoryLocks } from '../memory/memory-hosts.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Channel } from '../ports/channel.ts'
import type { Clock } from '../ports/clock.ts'
import type { Locks } from '../ports/locks.ts'
import { hastyClock, testClock } from '../runtime/memory-world.test-support.ts'
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
