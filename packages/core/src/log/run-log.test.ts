import { describe, expect, it } from 'vitest'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { digestBytes, fromUtf8, utf8 } from '../state/digest.ts'
import type { EntryDraft } from './bodies.ts'
import { parseLine, verifyChain } from './entry.ts'
import type { Fold } from './fold.ts'
import { commit, firstIn, me, run, start } from './log.test-support.ts'
import { RunLog } from './run-log.ts'
import { shortest, tidied } from './tidied-log.test-support.ts'

const begin = start({ list: [1] })
const open = (nonce: string): EntryDraft => ({
  kind: 'open',
  body: { reason: 'opened', place: 'browser', nonce, sdk: '0' },
})

function ports() {
  return { ...memoryStorage(), now: () => 5 }
}

/** Lines of a log that begins with them. */
function beginning(lines: readonly Uint8Array[]) {
  const { seq, prev } = parseLine(lines[0] as Uint8Array)
  return { base: { seq: seq - 1, digest: prev as Digest }, lines, begins: true as const }
}

describe('RunLog', () => {
  it('append() chains entries by the digest of their stored bytes', async () => {
    const log = await RunLog.open(run, ports())
    await log.append(me, () => [begin, commit(0), commit(1)])
    const lines = await log.lines(0)
    expect(verifyChain(run, undefined, lines)).toHaveLength(3)
    expect(parseLine(lines[1] as Uint8Array).prev).toBe(digestBytes(lines[0] as Uint8Array))
    expect(log.mustFold().head.digest).toBe(digestBytes(lines[2] as Uint8Array))
  })

  it('folds to the same run as a log that reads it again', async () => {
    const shared = ports()
    const log = await RunLog.open(run, shared)
    await log.append(me, () => [begin])
    await log.append(me, () => [commit(0, [['splice', ['list'], 1, 0, [2, 3]]])])
    const again = await RunLog.open(run, shared)
    expect(again.mustFold()).toEqual(log.mustFold())
    expect(again.mustFold().state).toEqual({ list: [1, 2, 3] })
  })

  it('append() keeps nothing when somebody else appended first, and says so', async () => {
    const shared = ports()
    const one = await RunLog.open(run, shared)
    await one.append(me, () => [begin])
    const two = await RunLog.open(run, shared)
    await one.append(me, () => [open('one')])
    await expect(two.append(me, () => [open('two')])).rejects.toMatchObject({ code: 'head_moved' })
    expect(two.mustFold().term).toBe(1)
    await two.catchUp()
    expect(two.mustFold()).toEqual(one.mustFold())
  })

  it('append() that is refused beside others consumes nothing', async () => {
    const log = await RunLog.open(run, ports())
    await log.append(me, () => [begin])
    const receive = (id: string): EntryDraft => ({
      kind: 'receive',
      body: { path: `0/${id}`, id, name: 'go', value: 1, by: 'ana' },
    })
    const [, refused] = await Promise.allSettled([
      log.append(me, () => [receive('first')]),
      log.append(me, () => [receive('refused'), commit(7)]),
      log.append(me, () => [receive('last')]),
    ])
    expect(refused.status).toBe('rejected')
    expect([...log.mustFold().consumed]).toEqual(['first', 'last'])
  })

  it('append() tells each of several at once all that was consumed before it', async () => {
    const log = await RunLog.open(run, ports())
    const refuse = (id: string): EntryDraft => ({ kind: 'refuse', body: { id, type: 'retry', reason: '' } })
    await log.append(me, () => [begin, refuse('before')])
    const heard: (readonly string[])[] = []
    const hear =
      (...drafts: readonly EntryDraft[]) =>
      (now: Fold | undefined): readonly EntryDraft[] => {
        heard.push([...(now?.consumed ?? [])])
        return drafts
      }
    await Promise.all([
      log.append(me, hear(open('consumes nothing'))),
      log.append(me, hear(refuse('beside'))),
      log.append(me, hear()),
    ])
    expect(heard).toEqual([['before'], ['before'], ['before', 'beside']])
  })

  it('append() never stores what it could not fold', async () => {
    const log = await RunLog.open(run, ports())
    await log.append(me, () => [begin])
    await expect(log.append(me, () => [commit(7)])).rejects.toMatchObject({ code: 'log_damaged' })
    await expect(log.append(me, () => [commit(0, [['del', ['nothing']]])])).rejects.toMatchObject({
      code: 'delta_refused',
    })
    expect(await log.lines(1)).toEqual([])
  })

  it('append() never stores what other hosts would refuse', async () => {
    const shared = ports()
    const log = await RunLog.open(run, shared)
    const body = { ...start({}).body, leaseMs: Number.NaN } as never
    await expect(log.append(me, () => [{ kind: 'start', body }])).rejects.toMatchObject({
      code: 'entry_refused',
    })
    expect(await shared.store.head(run)).toBeUndefined()
  })

  it('append() puts a body over the limit into a blob, and reads it back', async () => {
    const shared = ports()
    const log = await RunLog.open(run, shared)
    const text = 'x'.repeat(limits.entryBytesMax)
    await log.append(me, () => [begin, commit(0, [['set', ['text'], text]])])
    const [, line] = await log.lines(0)
    expect((line as Uint8Array).byteLength).toBeLessThan(limits.entryBytesMax)
    expect((await RunLog.open(run, shared)).mustFold().state).toEqual({ list: [1], text })
  })

  it('refuses to append after the end of a run', async () => {
    const log = await RunLog.open(run, ports())
    await log.append(me, () => [begin, { kind: 'cancel', body: { id: 'c', by: 'me', reason: 'enough' } }])
    await expect(log.append(me, () => [commit(0)])).rejects.toMatchObject({ code: 'run_ended' })
  })

  it('notices a changed byte in what is stored', async () => {
    const shared = ports()
    const log = await RunLog.open(run, shared)
    await log.append(me, () => [begin, commit(0)])
    const [first, second] = (await log.lines(0)) as [Uint8Array, Uint8Array]
    const damaged = utf8(fromUtf8(first).replace('"list"', '"lost"'))
    const other = memoryStorage().store
    await other.append(run, { base: undefined, lines: [damaged, second], durability: 'relaxed' })
    const again = await RunLog.open(run, { ...shared, store: other })
    expect(again.fold).toBeUndefined()
    expect(again.damage).toMatchObject({ seq: 0 })
  })

  it('refuses a format of a later Waystone', () => {
    expect(() => parseLine(utf8('{"format":99}'))).toThrow(/update Waystone/)
  })

  it('adopt() takes what follows, passes over what it has, and refuses what differs', async () => {
    const here = await RunLog.open(run, ports())
    const there = await RunLog.open(run, ports())
    await here.append(me, () => [begin, commit(0), commit(1)])
    await there.adopt((await here.lines(0)).slice(0, 2))
    await there.adopt(await here.lines(1))
    expect(there.mustFold()).toEqual(here.mustFold())
    const other = await RunLog.open(run, { ...ports(), now: () => 6 })
    await other.append(me, () => [begin, commit(0), commit(1)])
    await expect(there.adopt(await other.lines(0))).rejects.toMatchObject({ code: 'head_moved' })
  })

  it('begins later, and is read again, although its host died before it put its snapshot where those are looked for', async () => {
    const source = memoryStorage()
    const { log, turn } = await tidied(source, shortest)
    for (let count = 0; count < 6; count += 1) await turn()
    await turn('small')
    const lines = await log.lines(await firstIn(source))
    const begins = lines.findIndex((line) => parseLine(line).kind === 'snapshot')
    const storage = { ...source, ...memoryStorage(), blobs: source.blobs }
    const put = (): Promise<void> => Promise.reject(new Error('the host is gone'))
    const dying = await RunLog.open(run, {
      ...storage,
      snapshots: { ...storage.snapshots, put },
      now: () => 5,
    })
    // The snapshot is of the entry before it.
    await dying.adopt(lines.slice(begins))
    const again = await RunLog.open(run, { ...storage, now: () => 5 })
    expect(again.damage).toBeUndefined()
    expect(again.mustFold().head).toEqual(log.mustFold().head)
    expect(again.mustFold().state).toEqual(log.mustFold().state)
    // Without one nothing is known of it.
    const cut = { ...storage, ...memoryStorage(), blobs: source.blobs }
    await cut.store.append(run, { ...beginning(lines.slice(begins + 1)), durability: 'relaxed' })
    const lost = await RunLog.open(run, { ...cut, now: () => 5 })
    expect(lost.fold).toBeUndefined()
  })

  it('replaceTail() sets aside what differs, verbatim, and folds what came instead', async () => {
    const shared = ports()
    const log = await RunLog.open(run, shared)
    await log.append(me, () => [begin, commit(0)])
    const base = log.mustFold().head
    const edge = await RunLog.open(run, ports())
    await edge.adopt(await log.lines(0))
    await edge.append(me, () => [commit(1, [['set', ['by'], 'edge']])])
    await log.append(me, () => [commit(1, [['set', ['by'], 'laptop']]), commit(2)])
    const mine = await log.lines(2)
    await log.replaceTail(base, await edge.lines(2), 'the edge was ahead')
    expect(log.mustFold().state).toEqual({ list: [1], by: 'edge' })
    expect(await shared.tails.list(run)).toMatchObject([{ reason: 'the edge was ahead', lines: mine }])
  })
})

describe('appends that wait', () => {
  it('share a transaction, each with entries of its own, and see those before them', async () => {
    let transactions = 0
    const storage = memoryStorage()
    const { store } = storage
    const counting = {
      ...store,
      append: (...args: Parameters<typeof store.append>) => {
        transactions += 1
        return store.append(...args)
      },
    }
    const log = await RunLog.open(run, { ...storage, store: counting, now: () => 1 })
    await log.append(me, () => [begin])
    const appended = await Promise.all(
      Array.from({ length: 10 }, () => log.append(me, (fold) => [commit(fold?.turn ?? -1)])),
    )
    expect(appended.map(([entry]) => entry?.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(transactions).toBe(2)
  })

  it('one that cannot be sealed fails alone', async () => {
    const log = await RunLog.open(run, { ...memoryStorage(), now: () => 1 })
    await log.append(me, () => [begin])
    const ends = await Promise.allSettled([
      log.append(me, () => [commit(0)]),
      log.append(me, () => [commit(7)]),
      log.append(me, (fold) => [commit(fold?.turn ?? -1)]),
    ])
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(log.mustFold().turn).toBe(2)
  })

  it('an append of nothing resolves when those before it are stored, or refused', async () => {
    let { store } = memoryStorage()
    let release: () => void = () => undefined
    const slow = {
      ...store,
      append: async (...args: Parameters<typeof store.append>) => {
        await new Promise<void>((resolve) => (release = resolve))
        return store.append(...args)
      },
    }
    const log = await RunLog.open(run, { ...memoryStorage(), store: slow, now: () => 1 })
    const first = log.append(me, () => [begin])
    let isOver = false
    const barrier = log.append(me, () => []).then(() => (isOver = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    release()
    await Promise.all([first, barrier])
    store = { ...store, append: () => Promise.reject(new Error('the disk is gone')) }
    const refused = log.append(me, () => [commit(0)])
    const after = log.append(me, () => [])
    await new Promise((resolve) => setImmediate(resolve))
    release()
    await expect(refused).rejects.toThrow('the disk is gone')
    expect(await after).toEqual([])
  })
})
