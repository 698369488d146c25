import { describe, expect, it } from 'vitest'
import { memoryStorage } from '../memory/memory-storage.ts'
import { fromUtf8, utf8 } from '../state/digest.ts'
import { run } from './log.test-support.ts'
import { storedCheckpoints, type CheckpointPorts, type CheckpointQuery } from './stored-checkpoints.ts'
import { shortest, tidied } from './tidied-log.test-support.ts'

const page = (ports: CheckpointPorts, query: Partial<CheckpointQuery> = {}) =>
  storedCheckpoints(run, ports, { limit: 500, ...query })
const seqs = async (ports: CheckpointPorts, query?: Partial<CheckpointQuery>) =>
  (await page(ports, query)).checkpoints.map(({ seq }) => seq)

/** A run of three turns, the second of which has a label. */
async function short() {
  const storage = memoryStorage()
  const { change, label, log } = await tidied(storage)
  await change(() => ({ text: 'one' }))
  await label('draft')
  await change(() => ({ text: 'two' }))
  await change(() => ({ text: 'three' }))
  return { storage, log }
}

describe('storedCheckpoints()', () => {
  it('lists what one can go back to, newest first, as the entries say it', async () => {
    const { storage, log } = await short()
    const { checkpoints, next } = await page(storage)
    expect(next).toBeUndefined()
    expect(
      checkpoints.map(({ trigger, label, turn, whole, valid }) => [trigger, label, turn, whole, valid]),
    ).toEqual([
      ['commit', undefined, 3, true, true],
      ['commit', undefined, 2, true, true],
      ['label', 'draft', 0, false, true],
      ['commit', undefined, 1, true, true],
      ['start', undefined, 0, true, true],
    ])
    const { head, owner, epoch, term } = log.mustFold()
    expect(checkpoints[0]).toMatchObject({ ...head, time: 4_000, owner, epoch, term })
  })

  it('filters by name, kind, time and validity, and pages', async () => {
    const { storage } = await short()
    expect(await seqs(storage, { label: 'draft' })).toEqual([2])
    expect(await seqs(storage, { trigger: 'commit' })).toEqual([4, 3, 1])
    expect(await seqs(storage, { from: 2_000, to: 4_000 })).toEqual([3, 2, 1])
    expect(await seqs(storage, { valid: false })).toEqual([])
    const seen: number[] = []
    for (let before: number | undefined = Infinity; before !== undefined;) {
      const { checkpoints, next } = await page(storage, { before, limit: 2 })
      seen.push(...checkpoints.map(({ seq }) => seq))
      before = next
    }
    expect(seen).toEqual([4, 3, 2, 1, 0])
  })

  it('says of a damaged entry, and of what is not there, that one cannot go back to it', async () => {
    const { storage } = await short()
    const flipped = (line: Uint8Array): Uint8Array => utf8(fromUtf8(line).replace('"two"', '"owt"'))
    const cut = (line: Uint8Array): Uint8Array =>
      line.slice(0, fromUtf8(line).includes('"two"') ? 20 : undefined)
    const damaged = (change: (line: Uint8Array) => Uint8Array): CheckpointPorts => ({
      ...storage,
      store: {
        head: (of) => storage.store.head(of),
        read: async (...range) => (await storage.store.read(...range)).map(change),
      },
    })
    expect(await seqs(damaged(flipped), { valid: false })).toEqual([3])
    expect(await seqs(damaged(cut))).toEqual([4, 2, 1, 0])
    await expect(storedCheckpoints('other' as never, storage, { limit: 1 })).rejects.toMatchObject({
      code: 'run_unknown',
    })
  })

  it('lists what has outlived its entries, and reads no more than a part of a long log', async () => {
    const storage = memoryStorage()
    const { turn, label, log } = await tidied(storage, shortest)
    await turn()
    await label('kept')
    for (let count = 0; count < 12; count += 1) await turn()
    const first = (await log.reader.first()) ?? 0
    expect(first).toBeGreaterThan(2)
    const { checkpoints } = await page(storage)
    expect(checkpoints.find(({ label: name }) => name === 'kept')).toMatchObject({
      trigger: 'snapshot',
      valid: true,
    })
    for (const { seq } of checkpoints.filter(({ valid }) => valid))
      expect((await log.foldAt(seq)).head.seq).toBe(seq)

    const long = memoryStorage()
    const { change } = await tidied(long)
    for (let count = 0; count < 2_500; count += 1) await change(() => ({ text: String(count) }))
    const part = await page(long, { label: 'nowhere' })
    expect(part.checkpoints).toEqual([])
    expect(part.next).toBeGreaterThan(0)
    expect(await page(long, { label: 'nowhere', before: part.next ?? 0 })).toEqual({ checkpoints: [] })
  })
})
