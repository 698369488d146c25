import { describe, expect, it } from 'vitest'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { foldAside } from '../runtime/fold-aside.ts'
import type { EntryDraft } from './bodies.ts'
import { parseLine, sealEntry } from './entry.ts'
import { firstIn, me, run, start } from './log.test-support.ts'
import type { Retention } from './bodies.ts'
import { RunLog } from './run-log.ts'
import { shortest, tidied } from './tidied-log.test-support.ts'

const reopened = (storage: RunStorage): Promise<RunLog> => RunLog.open(run, { ...storage, now: () => 1 })

describe('what is let go of a run', () => {
  it('is no labelled checkpoint, however many turns are kept beside it', async () => {
    const storage = memoryStorage()
    const { log, label, turn, failures } = await tidied(storage, { turns: 10, ms: 0, labels: true })
    const marked = new Map<number, unknown>()
    for (let count = 0; count < 80; count += 1) {
      await label(`turn ${String(count)}`)
      marked.set(log.mustFold().head.seq, log.mustFold().state)
      await turn()
    }
    expect(failures).toEqual([])
    expect(await firstIn(storage)).toBeGreaterThan(50)
    for (const [seq, state] of marked) expect((await log.foldAt(seq)).state).toEqual(state)
  })

  it('is nothing that something set aside needs, until that is dropped', async () => {
    const storage = memoryStorage()
    const { log, add, change, turn, failures } = await tidied(storage, shortest)
    for (let count = 0; count < 3; count += 1) await turn()
    const { head: base, epoch, term } = log.mustFold()
    await change(() => ({ text: `mine ${'m'.repeat(70_000)}` }))
    const position = { run, seq: base.seq + 1, prev: base.digest, epoch, term, owner: me, time: 1 }
    const theirs = sealEntry({ kind: 'label', body: { path: '9/theirs', label: 'theirs' } }, position)
    await log.replaceTail(base, [theirs.line], 'the edge had other entries here')
    const mine = async (): Promise<unknown> => {
      const [tail] = await storage.tails.list(run)
      return tail && (await foldAside(log, tail, [tail])).fold.state
    }
    for (let count = 0; count < 12; count += 1) await turn()
    expect(await mine()).toEqual({ text: `mine ${'m'.repeat(70_000)}` })
    expect(await firstIn(storage)).toBeLessThanOrEqual(base.seq + 1)
    const [tail] = await storage.tails.list(run)
    await storage.tails.drop(run, String(tail?.name))
    for (let count = 0; count < 4; count += 1) await turn()
    await add({ kind: 'label', body: { path: '9/last', label: 'last' } })
    expect(await firstIn(storage)).toBeGreaterThan(base.seq + 1)
    expect(failures).toEqual([])
  })

  it('is nothing that something set aside needs, although whoever writes the run keeps it no more', async () => {
    const [here, there] = [memoryStorage(), memoryStorage()]
    const put: RunStorage['blobs']['put'] = async (...args) => {
      await here.blobs.put(...args)
      await there.blobs.put(...args)
    }
    const writer = await tidied({ ...there, blobs: { ...there.blobs, put } }, shortest)
    const written: Uint8Array[] = [...(await writer.log.lines(0))]
    writer.log.listen(({ lines }) => written.push(...lines))
    for (let count = 0; count < 3; count += 1) await writer.turn()
    await (await reopened(here)).adopt(written)
    const clock = { task: () => new Promise<void>((resolve) => setImmediate(resolve)), now: () => 10 ** 9 }
    const follower = await tidied(here, shortest, { mayAppend: () => false, clock })
    const base = follower.log.mustFold().head
    const mine = { text: 'mine' }
    await follower.change(() => mine)
    await writer.turn()
    await follower.log.replaceTail(base, written.slice(base.seq + 1), 'the edge had other entries here')
    for (let count = 0; count < 12; count += 1) {
      await writer.turn()
      await follower.log.adopt(written.slice(follower.log.mustFold().head.seq + 1))
      await follower.settle()
    }
    expect(await firstIn(there)).toBeGreaterThan(base.seq + 1)
    const [tail] = await here.tails.list(run)
    expect(tail && (await foldAside(follower.log, tail, [tail])).fold.state).toEqual(mine)
    expect([...writer.failures, ...follower.failures]).toEqual([])
  })

  it('does not end with more labels than are kept', async () => {
    const storage = memoryStorage()
    const { label, turn, failures } = await tidied(storage, shortest)
    for (let count = 0; count < 130; count += 1) {
      await label(`turn ${String(count)}`)
      await turn()
    }
    expect(failures).toEqual([])
    expect(await firstIn(storage)).toBeGreaterThan(200)
  })

  it('is nothing that entries name which are nowhere else: chunks of snapshots, too', async () => {
    const storage = memoryStorage()
    let synced = Infinity
    const { log, turn } = await tidied(storage, shortest, { synced: () => synced })
    for (let count = 0; count < 10; count += 1) await turn()
    synced = log.mustFold().head.seq
    for (let count = 0; count < 80; count += 1) await turn()
    const lines = await log.reader.lines(synced + 1, Infinity)
    const named = lines.flatMap((line) => parseLine(line).blobs ?? [])
    expect(named.length).toBeGreaterThan(25)
    expect(await storage.blobs.missing(run, named)).toEqual([])
  })

  it('is nothing that an entry needs which a store keeps beyond what it must', async () => {
    const memory = memoryStorage()
    const { compact } = memory.store
    const store = {
      ...memory.store,
      compact: (of: typeof run, { forget, cold }: { readonly forget: number; readonly cold: number }) =>
        compact(of, { forget: Math.floor(forget / 20) * 20, cold }),
    }
    const storage: RunStorage = { ...memory, store }
    const { log, turn } = await tidied(storage, shortest)
    for (let count = 0; count < 40; count += 1) await turn(String(count % 10).repeat(70_000))
    expect(await firstIn(storage)).toBeGreaterThan(10)
    const { head } = log.mustFold()
    expect((await log.entries(0, head.seq)).at(-1)?.seq).toBe(head.seq)
  })

  it('is nothing of a log that somebody else has written meanwhile', async () => {
    const storage = memoryStorage()
    const kept: { policy?: Retention } = {}
    const { log, add, turn, settle } = await tidied(storage, undefined, { retention: () => kept.policy })
    for (let count = 0; count < 3; count += 1) await turn()
    const { head: base, epoch, term } = log.mustFold()
    for (let count = 0; count < 8; count += 1) await turn()
    // Another tab has found damage after that, or what the edge has.
    const other = await reopened(storage)
    const at = { run, seq: base.seq + 1, prev: base.digest, epoch, term, owner: me, time: 1 }
    const theirs = sealEntry({ kind: 'label', body: { path: '9/theirs', label: 'theirs' } }, at)
    await other.replaceTail(base, [theirs.line], 'the edge had other entries here')
    kept.policy = shortest
    await settle()
    expect(await firstIn(storage)).toBe(0)
    expect((await reopened(storage)).mustFold().state).toEqual(other.mustFold().state)
    await expect(add({ kind: 'label', body: { path: '9/mine', label: 'mine' } })).rejects.toMatchObject({
      code: 'head_moved',
    })
  })

  it('is nothing while a run is on its way back, which may need any of it', async () => {
    const storage = memoryStorage()
    const kept: { policy?: Retention } = {}
    const { log, add, turn, settle } = await tidied(storage, undefined, { retention: () => kept.policy })
    for (let count = 0; count < 20; count += 1) await turn()
    kept.policy = shortest
    await add({ kind: 'unwind', body: { id: 'u', by: 'me', to: 5, undo: true, goal: 'rewind' } })
    await settle()
    expect((await log.foldAt(5)).head.seq).toBe(5)
  })

  it('is nothing while another host of the storage may be writing', async () => {
    const storage = memoryStorage()
    let isAlone = false
    const { turn } = await tidied(storage, shortest, { mayLetGo: () => isAlone })
    for (let count = 0; count < 20; count += 1) await turn()
    expect(await firstIn(storage)).toBe(0)
    isAlone = true
    await turn()
    expect(await firstIn(storage)).toBeGreaterThan(5)
  })

  it('is let go where a log began later than its labels, too', async () => {
    const source = memoryStorage()
    const there = await tidied(source, shortest)
    for (let count = 0; count < 20; count += 1) {
      if (count === 3 || count === 17) await there.label('marked')
      await there.turn()
    }
    const begins = (there.log.mustFold().snapshots.at(-1)?.at.seq ?? 0) + 1
    const storage = { ...memoryStorage(), blobs: source.blobs }
    await (await reopened(storage)).adopt(await source.store.read(run, begins))
    const here = await tidied(storage, shortest)
    for (let count = 0; count < 40; count += 1) await here.turn()
    expect(here.failures).toEqual([])
    expect(await firstIn(storage)).toBeGreaterThan(begins + 20)
  })

  it.for([0, 1, 2, 3, 4, 5, 6, 7])(
    'is nothing that an entry names which is appended at step %s of it',
    async (at) => {
      const storage = memoryStorage()
      const kept: { policy?: Retention } = {}
      let calls = -Infinity
      const { append } = storage.store
      storage.store.append = async (of, what) => {
        const isRewind = what.lines.some((line) => parseLine(line).kind === 'rewind')
        // Slower than what happens beside it.
        for (let task = 0; isRewind && task < 5; task += 1)
          await new Promise((resolve) => setImmediate(resolve))
        return append(of, what)
      }
      const state = { text: 'abc'.repeat(30_000) }
      const rewind = (): EntryDraft => ({
        kind: 'rewind',
        body: {
          state,
          turn: 0,
          records: [],
          effects: [],
          version: 1,
          id: 'r',
          by: 'me',
          to: { seq: 0, digest: log.mustFold().head.digest },
        },
      })
      const counted =
        <A extends readonly unknown[], R>(call: (...args: A) => R) =>
        (...args: A): R => {
          if (calls++ === at) void log.append(me, () => [rewind()])
          return call(...args)
        }
      const { list, get } = storage.snapshots
      const snapshots = { ...storage.snapshots, list: counted(list), get: counted(get) }
      await (await reopened(storage)).append(me, () => [start(state)])
      const { log, turn } = await tidied(storage, undefined, { snapshots, retention: () => kept.policy })
      for (let count = 0; count < 4; count += 1) await turn()
      calls = 0
      kept.policy = shortest
      for (let count = 4; count < 8 && log.mustFold().turn >= count; count += 1) await turn()
      await log.append(me, () => [])
      expect(log.mustFold().turn).toBeLessThan(4)
      const again = await reopened(storage)
      expect(again.damage).toBeUndefined()
      expect(again.mustFold().head).toEqual(log.mustFold().head)
    },
  )

  it.for([shortest, { turns: 7, ms: 0, labels: true }])(
    'is no effect after a checkpoint that is kept, with %o',
    async (policy) => {
      const storage = memoryStorage()
      const { log, add, label, turn, failures } = await tidied(storage, policy)
      const labels: number[] = []
      for (let count = 0; count < 60; count += 1) {
        if (count % 5 === 2) {
          await label(`turn ${String(count)}`)
          labels.push(log.mustFold().head.seq)
        }
        const path = `${String(count)}/pay`
        await add({ kind: 'once.start', body: { path, key: path, timeoutMs: 1, place: 'browser' } })
        const begun = log.mustFold().head.digest
        await add({
          kind: 'once',
          body: { path, start: begun, ms: 1, outcome: { value: 1 }, how: 'ran' },
        })
        await turn()
        const again = (await reopened(storage)).mustFold()
        const oldest = labels.find((seq) => again.snapshots.some(({ at }) => at.seq === seq)) ?? Infinity
        const after = ({ seq }: { readonly seq: number }): boolean => seq > oldest
        expect(again.onces.filter(after)).toEqual(log.mustFold().onces.filter(after))
      }
      expect(failures).toEqual([])
    },
  )
})
