import { describe, expect, it } from 'vitest'
import type { OwnerId } from '../ids.ts'
import type { EntryDraft } from '../log/bodies.ts'
import { RunLog } from '../log/run-log.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { SetAside } from '../ports/tails.ts'
import { open } from './session.test-support.ts'
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
