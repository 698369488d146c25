import { describe, expect, it } from 'vitest'
import type { Digest } from '../ids.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import { run } from './log.test-support.ts'
import { shortest, tidied } from './tidied-log.test-support.ts'
import { unnamedBlobs, type NamesPorts } from './unnamed-blobs.ts'

const hashOf = (name: string): Digest => digestBytes(utf8(name)) as Digest
const clock = { task: () => new Promise<void>((resolve) => setImmediate(resolve)) }
const [lost, other] = [hashOf('lost'), hashOf('other')]

/** A log whose history was let go now and then, and those of some blobs that nothing names. */
async function logged(turns = 30) {
  const storage = memoryStorage()
  const put: Digest[] = []
  const blobs: typeof storage.blobs = {
    ...storage.blobs,
    put: async (of, hash, ...rest) => {
      put.push(hash)
      await storage.blobs.put(of, hash, ...rest)
    },
  }
  const tidy = await tidied({ ...storage, blobs }, shortest)
  for (let count = 0; count < turns; count += 1) await tidy.turn(String(count % 10).repeat(70_000))
  const unnamed = (of: readonly Digest[], ports: Partial<NamesPorts> = {}) =>
    unnamedBlobs(tidy.log, of, { ...storage, clock, pagesMax: 50, ...ports })
  return { ...tidy, storage, unnamed, put }
}

describe('a blob that nothing names', () => {
  it('is none that the log or a snapshot of it needs, however much of it was let go', async () => {
    const { storage, unnamed, put, log } = await logged()
    const here = new Set(put)
    for (const hash of await storage.blobs.missing(run, put)) here.delete(hash)
    expect(here.size).toBeGreaterThan(3)
    expect(await unnamed([lost, ...here, other])).toEqual([lost, other])
    expect(log.damage).toBeUndefined()
  })

  it('is named by no entry, by its bytes or its text, by no state, nothing set aside and nothing that waits', async () => {
    const { add, change, storage, unnamed } = await logged(1)
    const [labelled, inState, aside, waiting] = ['labelled', 'state', 'aside', 'waiting'].map(hashOf)
    await add({ kind: 'label', body: { path: '0/l', label: `see ${String(labelled)}` } })
    await change(() => ({ kept: String(inState) }))
    const refused = await logged(0)
    await refused.add({ kind: 'label', body: { path: '0/l', label: `see ${String(aside)}` } })
    const lines = await refused.log.lines(0)
    const item = { type: 'message', name: 'm', value: [String(waiting)], id: 'i', by: 'me', time: 1 } as const
    await storage.inbox.put(run, item)
    const tails = { ...storage.tails, list: async () => [{ name: 't', reason: '', time: 1, lines }] }
    const all = [labelled, inState, aside, waiting, lost] as readonly Digest[]
    expect(await unnamed(all, { tails })).toEqual([lost])
    const damaged = { name: 't', reason: '', time: 1, lines: [Uint8Array.of(255, 0)] }
    expect(await unnamed(all, { tails: { ...storage.tails, list: async () => [damaged] } })).toEqual([])
  })

  it('is not told of a log that is too long to be read, nor beside items that cannot be', async () => {
    const { unnamed, storage } = await logged(4)
    expect(await unnamed([lost])).toEqual([lost])
    expect(await unnamed([lost], { pagesMax: 0 })).toEqual([])
    const sealed = { type: 'message', name: '', value: null, id: 's', by: 'me', time: 1 } as const
    await storage.inbox.put(run, { ...sealed, sealed: { key: 'k', box: 'AAAA' } })
    expect(await unnamed([lost])).toEqual([])
  })
})
