import { describe, expect, it } from 'vitest'
import type { OwnerId } from '../ids.ts'
import type { EntryDraft } from '../log/bodies.ts'
import { RunLog } from '../log/run-log.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { SetAside } from '../ports/tails.ts'
import { memoryEdge } from '../runtime/memory-edge.test-support.ts'
import { hastyClock, testClock } from '../runtime/memory-world.test-support.ts'
import { cuttable, open } from './session.test-support.ts'
import { partingOf } from './forked.ts'

/** A log of a session, and a tail of it that another one has taken the place of. */
async function replaced(tail: readonly EntryDraft[]) {
  const storage = memoryStorage()
  const session = await open({ storage })
  const log = await RunLog.open(session.id, { ...storage, now: () => 1 })
  const base = log.mustFold().head
  await log.append('laptop' as OwnerId, () => tail)
  const name: EntryDraft = { kind: 'label', body: { path: 'x', label: 'theirs' } }
  const other = await RunLog.open(session.id, { ...memoryCopy(await log.lines(0)), now: () => 1 })
  await other.append('laptop' as OwnerId, () => [name])
  await log.replaceTail(base, await other.lines(base.seq + 1), 'a test')
  const [aside] = await storage.tails.list(session.id)
  return { log, aside: aside as SetAside, base }

  function memoryCopy(lines: readonly Uint8Array[]) {
    const copy = memoryStorage()
    void copy.store.append(session.id, {
      base: undefined,
      lines: lines.slice(0, base.seq + 1),
      durability: 'relaxed',
    })
    return copy
  }
}

const opened: EntryDraft = {
  kind: 'open',
  body: { reason: 'opened', place: 'browser', nonce: 'n', sdk: '0' },
}
const label: EntryDraft = { kind: 'label', body: { path: 'y', label: 'mine' } }

describe('what was set aside', () => {
  it('leads to what it would have been', async () => {
    const { log, aside, base } = await replaced([label])
    const parting = await partingOf(log, aside, [aside])
    expect(parting?.mine.labels.map((note) => note.label)).toEqual(['mine'])
    expect(parting?.base?.head).toEqual(base)
  })

  it('is read from what it followed also when that was set aside later', async () => {
    const { log, aside, base } = await replaced([label])
    const whole = { ...aside, name: '0-1', lines: await log.lines(0) }
    const storage = memoryStorage()
    const { id } = await open({ storage })
    const other = await RunLog.open(id, { ...storage, now: () => 1 })
    const parting = await partingOf(other, aside, [aside, whole])
    expect(parting?.mine.labels.map((note) => note.label)).toEqual(['mine'])
    expect(parting?.base?.head).toEqual(base)
    expect(await partingOf(other, aside, [aside])).toBeUndefined()
  })

  it('is nothing to tell when nobody misses it', async () => {
    const { log, aside } = await replaced([opened])
    expect(await partingOf(log, aside, [aside])).toBeUndefined()
  })

  it('is nothing to tell when it cannot be read', async () => {
    const { log, aside } = await replaced([label])
    const lines = aside.lines.map((line) => line.with(10, 0))
    expect(await partingOf(log, { ...aside, lines }, [])).toBeUndefined()
    expect(await partingOf(log, { ...aside, lines: [] }, [])).toBeUndefined()
  })
})

/** A device whose note was set aside for one of another device, which is about to be known. */
async function apart() {
  const edge = memoryEdge({ clock: testClock, ownerAlive: () => false })
  const network = cuttable(edge)
  const storage = memoryStorage()
  const here = await open({ storage, edge: network.edge, clock: hastyClock })
  await here.update((draft) => void draft.notes.push('of both'))
  await here.synced()
  network.cut()
  await here.update((draft) => void draft.notes.push('mine'))
  const there = await open({ me: 'phone', edge, clock: hastyClock })
  await there.update((draft) => void draft.notes.push('theirs'))
  await there.synced()
  return { here, storage, network }
}

describe('onForked()', () => {
  it('tells nobody who has stopped while it was looked for', async () => {
    const { here, storage, network } = await apart()
    const heard: string[] = []
    here.onForked(() => void heard.push('one that listens'))
    const stop = here.onForked(() => void heard.push('one that has stopped'))
    const { list } = storage.tails
    const { read } = storage.store
    storage.tails.list = async (run) => {
      const all = await list(run)
      // What was set aside is told after the entries before it were read.
      if (all.length > 0) storage.store.read = (...args) => read(...args).finally(stop)
      return all
    }
    network.mend()
    await here.refresh()
    expect(heard).toEqual(['one that listens'])
  })
})
