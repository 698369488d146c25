import { describe, expect, it } from 'vitest'
import type { Digest, RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { encodeValue, type Value } from '../state/codec.ts'
import type { Fold } from './fold.ts'
import { commit, firstIn, me, run } from './log.test-support.ts'
import type { LabelNote, Retention } from './bodies.ts'
import { RunLog } from './run-log.ts'
import { Snapshotter } from './snapshotter.ts'
import { shortest, tidied } from './tidied-log.test-support.ts'

interface Chat {
  readonly messages: readonly { readonly number: number; readonly text: string }[]
}

const message = (number: number): Chat['messages'][number] => ({
  number,
  text: `what was said as number ${String(number)}, at some length. `.repeat(15),
})

const say =
  (number: number) =>
  ({ messages }: Chat): Value => ({ messages: [...messages, message(number)] })

const silence = { messages: [] }

/** A chat of so many messages, each a turn. */
async function chat(storage: RunStorage, turns: number, retention?: Retention) {
  const it = await tidied(storage, retention, { state: silence })
  for (let number = 0; number < turns; number += 1) {
    await it.change(say(number))
    await it.settle()
  }
  return it
}

/** A fold but for what only tells how it was read. */
function plainFold(fold: Fold): unknown {
  const same = { snapshots: [], blobs: [], onces: [], since: undefined, writerSince: 0 }
  return { ...fold, ...same, consumed: [...fold.consumed] }
}

describe('a snapshot', () => {
  it('is made when deltas outweigh it, and reading from it gives what reading all gives', async () => {
    const storage = memoryStorage()
    const { log, failures } = await chat(storage, 300)
    expect(failures).toEqual([])
    const { snapshots } = log.mustFold()
    expect(snapshots.length).toBeGreaterThan(2)
    // Each outweighs a quarter of the one before: their number grows with the logarithm of what was written.
    expect(snapshots.length).toBeLessThan(12)
    const again = await RunLog.open(run, { ...storage, now: () => 1 })
    const whole = await RunLog.open(run, { ...storage, snapshots: memoryStorage().snapshots, now: () => 1 })
    expect(plainFold(again.mustFold())).toEqual(plainFold(whole.mustFold()))
    expect(plainFold(again.mustFold())).toEqual(plainFold(log.mustFold()))
  })

  it('tells of no message that was consumed after its checkpoint, while it was made', async () => {
    const storage = memoryStorage()
    const slow = { begun: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>(), isOn: false }
    const list = async (of: RunId): Promise<readonly number[]> => {
      if (slow.isOn) {
        slow.begun.resolve()
        await slow.goOn.promise
      }
      return storage.snapshots.list(of)
    }
    const it = await tidied({ ...storage, snapshots: { ...storage.snapshots, list } })
    slow.isOn = true
    await it.change(() => ({ text: 'a'.repeat(70_000) }))
    const at = it.log.mustFold().head.seq
    const settled = it.settle()
    await slow.begun.promise
    const receive = { path: '1/go', id: 'late', name: 'go', value: 1, by: 'ana', sent: 1 } as const
    await it.add({ kind: 'receive', body: receive })
    slow.isOn = false
    slow.goOn.resolve()
    await settled
    expect(it.log.mustFold().snapshots.map((one) => one.at.seq)).toEqual([at])
    expect([...(await it.log.foldAt(at)).consumed]).toEqual([])
    const again = await RunLog.open(run, { ...storage, now: () => 1 })
    expect([...again.mustFold().consumed]).toEqual(['late'])
  })

  it('makes opening read only what came after it', async () => {
    const storage = memoryStorage()
    await chat(storage, 300)
    const read: number[] = []
    const store = {
      ...storage.store,
      read: (of: RunId, from: number) => {
        read.push(from)
        return storage.store.read(of, from)
      },
    }
    const log = await RunLog.open(run, { ...storage, store, now: () => 1 })
    expect(Math.min(...read)).toBe((log.mustFold().snapshots.at(-1)?.at.seq ?? 0) + 1)
    await log.foldAt(290)
    expect(Math.min(...read)).toBeGreaterThan(100)
  })

  it.for([0, 1, 57, 123, 299])('gives the fold at entry %s that reading all gives', async (seq) => {
    const storage = memoryStorage()
    const { log } = await chat(storage, 300)
    const whole = await RunLog.open(run, { ...storage, snapshots: memoryStorage().snapshots, now: () => 1 })
    expect(plainFold(await log.foldAt(seq))).toEqual(plainFold(await whole.foldAt(seq)))
  })

  it('shares its chunks with those before it: all of them are little more than the state', async () => {
    const storage = memoryStorage()
    let stored = 0
    const blobs = {
      ...storage.blobs,
      put: (...args: Parameters<typeof storage.blobs.put>) => {
        stored += args[2].byteLength
        return storage.blobs.put(...args)
      },
    }
    const { log } = await chat({ ...storage, blobs }, 600)
    const state = JSON.stringify(encodeValue(log.mustFold().state)).length
    expect(log.mustFold().snapshots.length).toBeGreaterThan(4)
    expect(stored).toBeLessThan(state * 1.5)
  })

  it('that is damaged, missing or of another log is passed over', async () => {
    const storage = memoryStorage()
    const { log } = await chat(storage, 300)
    const whole = plainFold(log.mustFold())
    const newest = log.mustFold().snapshots.at(-1)?.at.seq ?? 0
    const line = (await storage.snapshots.get(run, newest)) as Uint8Array
    const reopened = async (): Promise<unknown> =>
      plainFold((await RunLog.open(run, { ...storage, now: () => 1 })).mustFold())
    await storage.snapshots.put(run, newest, line.with(200, (line[200] as number) ^ 1))
    expect(await reopened()).toEqual(whole)
    const other = memoryStorage()
    const foreign = await chat(other, 200)
    const theirs = (await other.snapshots.get(
      run,
      foreign.log.mustFold().snapshots.at(-1)?.at.seq ?? 0,
    )) as Uint8Array
    await storage.snapshots.put(run, newest, theirs)
    expect(await reopened()).toEqual(whole)
    await storage.snapshots.put(run, newest, line)
    const [chunk] = JSON.parse(new TextDecoder().decode(line)).blobs as Digest[]
    await storage.blobs.remove(run, [chunk as Digest])
    expect(await reopened()).toEqual(whole)
  })

  it('is not appended in the name of somebody who may not write any more', async () => {
    const storage = memoryStorage()
    const { log } = await chat(storage, 10)
    let allowed = true
    const put = storage.blobs.put.bind(storage.blobs)
    const snapshotter = new Snapshotter(log, {
      me,
      // Writing is lost while the chunks are stored.
      blobs: { ...storage.blobs, put: (...args) => put(...args).finally(() => (allowed = false)) },
      snapshots: storage.snapshots,
      tails: storage.tails,
      clock: { task: () => Promise.resolve(), now: () => 1 },
      mayAppend: () => allowed,
      retention: () => undefined,
      synced: () => Infinity,
    })
    await log.append(me, () => [commit(10, [['set', ['big'], 'x'.repeat(200_000)]])])
    await snapshotter.settle()
    expect(allowed).toBe(false)
    expect(log.mustFold().snapshots).toEqual([])
  })
})

describe('a snapshot that is written while others act', () => {
  it('is not appended when what it is of was set aside meanwhile', async () => {
    const storage = memoryStorage()
    const { put } = storage.blobs
    let setAside: (() => Promise<void>) | undefined
    storage.blobs.put = async (...args) => {
      await put(...args)
      const work = setAside
      setAside = undefined
      await work?.()
    }
    const { log, change, settle } = await tidied(storage)
    const first = log.mustFold().head
    await change(() => ({ text: 'a'.repeat(40_000) }))
    setAside = () => log.replaceTail(first, [], 'others were here')
    await change(() => ({ text: 'b'.repeat(40_000) }))
    await settle()
    expect(log.mustFold().head).toEqual(first)
  })

  it('gives JSON of others as it was, though it looks like a chunk', async () => {
    const storage = memoryStorage()
    const { log, add, label, turn, failures } = await tidied(storage, shortest)
    const details = { $: 'chunk', v: 'none', inner: [{ $: 'items', v: [1] }, { $: 'plain' }] }
    const error = { code: 'step_failed', message: 'm'.repeat(40_000), details } as const
    const body = { path: '0/a', attempts: 1, ms: 1, outcome: { error } }
    await add({ kind: 'step', body })
    await label('failed')
    const labelled = log.mustFold()
    for (let count = 0; count < 12; count += 1) await turn()
    expect(failures).toEqual([])
    expect(await firstIn(storage)).toBeGreaterThan(labelled.head.seq)
    expect((await log.foldAt(labelled.head.seq)).records).toEqual(labelled.records)
  })
})

describe('retention', () => {
  it('keeps storage bounded over many turns, and the run as it is', async () => {
    const storage = memoryStorage()
    let held = 0
    const sizes = new Map<Digest, number>()
    const blobs = {
      ...storage.blobs,
      put: (...args: Parameters<typeof storage.blobs.put>) => {
        if (!sizes.has(args[1])) held += args[2].byteLength
        sizes.set(args[1], args[2].byteLength)
        return storage.blobs.put(...args)
      },
      remove: (of: RunId, hashes: readonly Digest[]) => {
        for (const hash of hashes) {
          held -= sizes.get(hash) ?? 0
          sizes.delete(hash)
        }
        return storage.blobs.remove(of, hashes)
      },
    }
    const retention = { turns: 20, ms: 0, labels: true }
    const it = await tidied({ ...storage, blobs }, retention, { state: silence })
    let most = 0
    for (let turn = 0; turn < 2_000; turn += 1) {
      // A context of the last 100 messages: what falls out of it is gone for good.
      await it.change(({ messages }: Chat) => ({ messages: [...messages, message(turn)].slice(-100) }))
      await it.settle()
      if (turn > 500) most = Math.max(most, held)
    }
    const { head, state } = it.log.mustFold()
    expect(it.failures).toEqual([])
    expect(head.seq - (await firstIn(storage))).toBeLessThan(400)
    expect(most).toBeLessThan(800_000)
    expect((await storage.snapshots.list(run)).length).toBeLessThanOrEqual(limits.snapshotsMax)
    const again = await RunLog.open(run, { ...storage, now: () => 1 })
    expect(again.mustFold().state).toEqual(state)
    expect((state as unknown as Chat).messages).toHaveLength(100)
  })

  it('keeps labelled checkpoints, and says which ones are gone', async () => {
    const storage = memoryStorage()
    const it = await tidied(storage, shortest, { state: silence })
    const marked = new Map<number, unknown>()
    for (let turn = 0; turn < 400; turn += 1) {
      await it.change(say(turn))
      if (turn === 5 || turn === 90) {
        await it.label(`turn ${String(turn)}`)
        marked.set(it.log.mustFold().head.seq, plainFold(it.log.mustFold()))
      }
      await it.settle()
    }
    expect(it.failures).toEqual([])
    expect(await firstIn(storage)).toBeGreaterThan(200)
    const again = await RunLog.open(run, { ...storage, now: () => 1 })
    for (const [seq, fold] of marked) expect(plainFold(await again.foldAt(seq))).toEqual(fold)
    await expect(again.foldAt(50)).rejects.toMatchObject({ code: 'checkpoint_gone' })
  })

  it('waits for the snapshots of labelled checkpoints where somebody else has to write them', async () => {
    const [here, there] = [memoryStorage(), memoryStorage()]
    const blobs: RunStorage['blobs'] = {
      ...here.blobs,
      put: async (...args) => {
        await here.blobs.put(...args)
        await there.blobs.put(...args)
      },
    }
    const writes = async (retention: Retention | undefined, turns: number, synced = -1): Promise<RunLog> => {
      const device = await tidied({ ...here, blobs }, retention, { synced: () => synced })
      for (let count = 0; count < turns; count += 1) {
        await device.turn()
        if (device.log.mustFold().turn === 3) await device.label('third')
      }
      await device.settle()
      expect(device.failures).toEqual([])
      return device.log
    }
    const lines = await (await writes(undefined, 20)).lines(0)
    await (await RunLog.open(run, { ...there, now: () => 1 })).adopt(lines)
    const clock = { task: () => new Promise<void>((resolve) => setImmediate(resolve)), now: () => 10 ** 9 }
    const edge = await tidied(there, shortest, { mayAppend: () => false, clock })
    await edge.settle()
    expect(await firstIn(there)).toBe(0)
    const { at } = edge.log.mustFold().labels[0] as LabelNote
    const labelled = plainFold(await edge.log.foldAt(at.seq))
    const more = await (await writes(shortest, 4, lines.length - 1)).lines(lines.length)
    await edge.log.adopt(more)
    await edge.settle()
    expect(edge.failures).toEqual([])
    expect(await firstIn(there)).toBeGreaterThan(at.seq)
    expect(plainFold(await edge.log.foldAt(at.seq))).toEqual(labelled)
  })

  it('never lets go of what is nowhere else', async () => {
    const storage = memoryStorage()
    let synced = -1
    const { turn } = await tidied(storage, shortest, { synced: () => synced })
    for (let count = 0; count < 40; count += 1) await turn()
    expect(await firstIn(storage)).toBe(0)
    synced = 20
    for (let count = 0; count < 4; count += 1) await turn()
    const first = await firstIn(storage)
    expect(first).toBeGreaterThan(0)
    expect(first).toBeLessThanOrEqual(20)
  })

  it.for([1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 30, 40])(
    'killed at write %s of it leaves a run that goes on',
    async (at) => {
      const storage = memoryStorage()
      let writes = Infinity
      const never = new Promise<never>(() => undefined)
      const mortal = <P extends object>(port: P, names: readonly string[]): P =>
        new Proxy(port, {
          get: (target, key) => {
            const method = Reflect.get(target, key) as (...args: unknown[]) => unknown
            if (typeof method !== 'function') return method
            return (...args: unknown[]): unknown => {
              if (names.includes(String(key))) writes -= 1
              return writes < 0 ? never : method.apply(target, args)
            }
          },
        })
      const dying: RunStorage = {
        ...storage,
        store: mortal(storage.store, ['append', 'compact']),
        snapshots: mortal(storage.snapshots, ['put', 'remove']),
        blobs: mortal(storage.blobs, ['put', 'remove']),
      }
      const first = await chat(dying, 150, shortest)
      const before = first.log.mustFold().head.seq
      writes = at
      // Until the kill nothing waits: what is stored then is all that will ever be.
      const going = (async () => {
        for (let number = 150; ; number += 1) {
          await first.change(say(number))
          await first.settle()
        }
      })()
      while (writes >= 0) await new Promise((resolve) => setImmediate(resolve))
      void going
      const again = await tidied(storage, shortest)
      const { head, state } = again.log.mustFold()
      expect(head.seq).toBeGreaterThanOrEqual(before)
      const { messages } = state as unknown as Chat
      expect(messages).toEqual(messages.map((_, index) => message(index)))
      for (let number = messages.length; number < 400; number += 1) {
        await again.change(say(number))
        await again.settle()
      }
      expect(again.failures).toEqual([])
      const last = await RunLog.open(run, { ...storage, now: () => 1 })
      expect((last.mustFold().state as unknown as Chat).messages).toHaveLength(400)
      expect(await firstIn(storage)).toBeGreaterThan(0)
    },
  )
})
