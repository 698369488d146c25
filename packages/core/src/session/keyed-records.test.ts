import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import { parseLine } from '../log/entry.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import { testClock } from '../runtime/memory-world.test-support.ts'
import { open, pairs, until } from './session.test-support.ts'

const run = 'notes' as RunId

/** A storage that notes what is read of the log, as entries and bytes. */
function watched(storage: RunStorage) {
  const reads: { readonly from: number; readonly bytes: number }[] = []
  const store = {
    ...storage.store,
    read: async (of: RunId, from: number, count?: number) => {
      const lines = await storage.store.read(of, from, count)
      reads.push({ from, bytes: lines.reduce((sum, line) => sum + line.byteLength, 0) })
      return lines
    },
  }
  return { storage: { ...storage, store }, reads }
}

async function storedBytes(storage: RunStorage): Promise<number> {
  let bytes = 0
  for (let next = 0; ;) {
    const lines = await storage.store.read(run, next)
    if (lines.length === 0) return bytes
    next += lines.length
    for (const line of lines) bytes += line.byteLength
  }
}

const context = (messages: number) =>
  Array.from({ length: messages }, (_, at) => ({ role: 'user', text: `message ${String(at)}. `.repeat(10) }))

it('a record that is put just as the one before is stored is stored, too', async () => {
  const storage = memoryStorage()
  for (let moments = 0; moments < 24; moments += 1) {
    const id = `moment-${String(moments)}`
    const session = await open({ id, storage })
    const second = Promise.withResolvers<void>()
    const stop = session.subscribe(() => {
      if (!session.records().has('first')) return
      stop()
      void (async () => {
        for (let moment = 0; moment < moments; moment += 1) await Promise.resolve()
        await session.put('second', 2)
        second.resolve()
      })()
    })
    await session.put('first', 1)
    await second.promise
    expect([...(await open({ id, storage })).records().keys()]).toEqual(['first', 'second'])
  }
})

describe('keyed records', () => {
  it('put(), get() and delete() one value, whatever can be kept', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    const value = { at: new Date(5), bytes: new Uint8Array([1, 2]), set: new Set(['a']), none: undefined }
    await session.put('key', value)
    expect(await session.get('key')).toEqual(value)
    await session.put('empty', undefined)
    expect(session.records().has('empty')).toBe(true)
    await session.delete('key')
    await session.delete('never there')
    expect(await session.get('key')).toBeUndefined()
    const again = await open({ storage })
    expect([...again.records().keys()]).toEqual(['empty'])
    expect(again.state).toEqual({ notes: [], count: 0 })
  })

  it('belong to the caller, before and after', async () => {
    const session = await open()
    const mine = { list: [1] }
    const putting = session.put('key', mine)
    mine.list.push(2)
    await putting
    const first = (await session.get('key')) as typeof mine
    first.list.push(3)
    await session.put('like it', { list: [1, 9] }, { like: 'key' })
    expect(await session.get('key')).toEqual({ list: [1] })
    expect(await session.get('like it')).toEqual({ list: [1, 9] })
  })

  it('range() goes through keys in order, by prefix or from and to, forth and back', async () => {
    const session = await open()
    const keys = ['a/1', 'a/10', 'a/2', 'a\uffff', 'b', 'é', '\uffff', '\u{10000}', 'A']
    await session.putAll(keys.map((key) => ({ key, value: key })))
    const sorted = keys.toSorted()
    const all = async (...args: Parameters<typeof session.range>) =>
      (await pairs(session.range(...args))).map(([key]) => key)
    expect(await all()).toEqual([...keys].sort((a, b) => (a < b ? -1 : 1)))
    expect(sorted).toEqual(await all())
    expect(await all({ prefix: 'a/' })).toEqual(['a/1', 'a/10', 'a/2'])
    expect(await all({ prefix: 'a', reverse: true })).toEqual(['a\uffff', 'a/2', 'a/10', 'a/1'])
    expect(await all({ prefix: '\uffff' })).toEqual(['\uffff'])
    expect(await all({ from: 'a/10', to: 'b' })).toEqual(['a/10', 'a/2', 'a\uffff'])
    expect(await all({ from: 'a/10', to: 'b', reverse: true, limit: 2 })).toEqual(['a\uffff', 'a/2'])
    expect(await all({ from: 'x', to: 'b' })).toEqual([])
    expect(await all({ limit: 0 })).toEqual([])
    await expect(all({ prefix: 'a', from: 'b' })).rejects.toMatchObject({ code: 'input_refused' })
    await expect(all({ limit: -1 })).rejects.toMatchObject({ code: 'input_refused' })
  })

  it('range() tells what was there when it began', async () => {
    const session = await open()
    await session.putAll([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ])
    const seen: unknown[] = []
    for await (const { key, value } of session.range()) {
      seen.push([key, value])
      await session.putAll([
        { key: 'b', value: 'changed' },
        { key: 'c', value: 3 },
      ])
    }
    expect(seen).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })

  it('putAll() is all or nothing, and the last change of a key counts', async () => {
    const session = await open()
    const { head } = session
    await expect(
      session.putAll([
        { key: 'a', value: 1 },
        { key: 'b', value: () => undefined },
      ]),
    ).rejects.toMatchObject({ code: 'value_refused' })
    await expect(session.put('', 1)).rejects.toMatchObject({ code: 'input_refused' })
    await expect(session.put('x'.repeat(1_001), 1)).rejects.toMatchObject({ code: 'input_refused' })
    await expect(session.get('')).rejects.toMatchObject({ code: 'input_refused' })
    expect(session.head).toEqual(head)
    await session.putAll([
      { key: 'a', value: 1 },
      { key: 'a', delete: true },
      { key: 'a', value: 2 },
      { key: 'b', value: 3 },
      { key: 'b', delete: true },
    ])
    expect(session.head.seq).toBe(head.seq + 1)
    expect(await pairs(session.range())).toEqual([['a', 2]])
  })

  it('are stored in the order of the calls, those that wait together in one entry', async () => {
    const session = await open()
    await Promise.all(Array.from({ length: 500 }, (_, at) => session.put(`key ${String(at % 50)}`, at)))
    expect(session.head.seq).toBeLessThan(5)
    const all = await pairs(session.range())
    expect(all).toHaveLength(50)
    for (const [key, value] of all) expect(value).toBe(450 + Number(key.slice(4)))
  })

  it('do what a Map does, opened again or not, whatever they are like', async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd')
    const value = fc.array(fc.string({ maxLength: 20 }), { maxLength: 30 })
    const change = fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .tuple(key, value, fc.option(key, { nil: undefined }))
          .map(([name, what, like]) => ({ key: name, value: what, ...(like ? { like } : {}) })),
      },
      { weight: 1, arbitrary: key.map((name) => ({ key: name, delete: true as const })) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 20 }),
        fc.boolean(),
        async (batches, waits) => {
          const storage = memoryStorage()
          const session = await open({ storage })
          const model = new Map<string, unknown>()
          const puts: Promise<void>[] = []
          for (const batch of batches) {
            const put = session.putAll(batch)
            puts.push(put)
            if (waits) await put
            for (const one of batch) {
              if ('delete' in one) model.delete(one.key)
              else model.set(one.key, one.value)
            }
          }
          await Promise.all(puts)
          const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
          expect(await pairs(session.range())).toEqual(expected)
          expect(await pairs((await open({ storage })).range())).toEqual(expected)
          expect(await pairs((await session.fork()).range())).toEqual(expected)
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('a value like another', () => {
  it('takes what differs, and is the same however long the chain', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    await session.put('v0', context(200))
    const first = await storedBytes(storage)
    for (let version = 1; version < 200; version += 1)
      await session.put(`v${String(version)}`, context(200 + version), { like: `v${String(version - 1)}` })
    const whole = JSON.stringify(context(300)).length * 200
    expect(await storedBytes(storage)).toBeLessThan(whole / 15)
    expect(first).toBeGreaterThan(20_000)
    const again = await open({ storage })
    for (const version of [199, 0, 1, 63, 64, 65, 66, 130, 198])
      expect(await again.get(`v${String(version)}`)).toEqual(context(200 + version))
  })

  it('is told by at most so many others', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    await session.put('v0', context(20))
    for (let version = 1; version <= 150; version += 1)
      await session.put(`v${String(version)}`, context(20 + version), { like: `v${String(version - 1)}` })
    const { storage: counting, reads } = watched(storage)
    const again = await open({ storage: counting })
    for (let version = 0; version <= 150; version += 50) {
      reads.length = 0
      expect(await again.get(`v${String(version)}`)).toEqual(context(20 + version))
      expect(reads.length).toBeLessThanOrEqual(limits.likeDepthMax + 1)
    }
  })

  it('is whole when there is none, when that is shorter, and when the other cannot be read', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    await session.put('first', context(5), { like: 'nothing' })
    await session.put('other', 'nothing alike', { like: 'first' })
    expect(await session.get('first')).toEqual(context(5))
    expect(await session.get('other')).toBe('nothing alike')
    const store = {
      ...storage.store,
      read: async (...args: Parameters<typeof storage.store.read>) =>
        args[2] === 1 ? [] : storage.store.read(...args),
    }
    const blind = await open({ storage: { ...storage, store } })
    await blind.put('second', context(6), { like: 'first' })
    await expect(blind.get('first')).rejects.toMatchObject({ code: 'checkpoint_gone' })
    await session.refresh()
    expect(await session.get('second')).toEqual(context(6))
  })

  it('may replace the one that it is like', async () => {
    const session = await open()
    for (let version = 0; version < 100; version += 1)
      await session.put('context', context(30 + version), { like: 'context' })
    expect(await session.get('context')).toEqual(context(129))
  })

  it('means the value of before in putAll(), and of the calls before in puts that are not waited for', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    await session.put('a', context(30))
    await session.putAll([
      { key: 'a', value: 'another' },
      { key: 'b', value: context(31), like: 'a' },
    ])
    expect(await session.get('b')).toEqual(context(31))
    const { seq } = session.head
    await Promise.all([session.put('c', context(400)), session.put('d', context(401), { like: 'c' })])
    expect(await session.get('d')).toEqual(context(401))
    expect(session.head.seq).toBe(seq + 2)
    const [line] = await storage.store.read(run, seq + 2)
    expect(line?.byteLength).toBeLessThan(1_000)
  })

  it('is told anew when another tab changes the one that it is like meanwhile', async () => {
    const storage = memoryStorage()
    const other = await open({ storage })
    await other.put('base', context(30))
    let meanwhile = async (): Promise<void> => undefined
    const store = {
      ...storage.store,
      read: async (...args: Parameters<typeof storage.store.read>) => {
        const lines = await storage.store.read(...args)
        if (args[2] === 1) await meanwhile()
        return lines
      },
    }
    const session = await open({ storage: { ...storage, store } })
    meanwhile = async () => {
      meanwhile = async () => undefined
      await other.put('base', context(3))
      await session.refresh()
    }
    await session.put('key', context(31), { like: 'base' })
    expect(await session.get('key')).toEqual(context(31))
    expect(await (await open({ storage })).get('key')).toEqual(context(31))
  })

  it('changes bytes by their regions', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    const bytes = Uint8Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 256)
    await session.put('one', bytes)
    const before = await storedBytes(storage)
    bytes[100] = 0
    await session.put('two', bytes, { like: 'one' })
    expect(await storedBytes(storage)).toBeLessThan(before + 500)
    expect(await session.get('two')).toEqual(bytes)
  })
})

describe('the cost of records', () => {
  it('opening reads no values, and reading one reads one entry', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    for (let at = 0; at < 1_500; at += 1) {
      await session.put(`key ${String(at)}`, 'x'.repeat(300))
      // What is done when there is time has to have some: memory takes none.
      await testClock.task()
    }
    await session.close()
    const { storage: counting, reads } = watched(storage)
    const again = await open({ storage: counting })
    expect(reads.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(200_000)
    reads.length = 0
    expect(await again.get('key 700')).toBe('x'.repeat(300))
    expect(reads).toHaveLength(1)
    expect(reads[0]?.bytes).toBeLessThan(1_000)
  })

  it('many keys survive snapshots, rewinds and forks, in chunks that are stored once', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    const keys = Array.from({ length: 6_000 }, (_, at) => `key ${String(at).padStart(6, '0')}`)
    for (let at = 0; at < keys.length; at += 500) {
      await session.putAll(keys.slice(at, at + 500).map((key) => ({ key, value: key.length })))
      for (let tasks = 0; tasks < 10; tasks += 1) await testClock.task()
    }
    const { seq } = session.head
    await session.putAll(keys.slice(0, 100).map((key) => ({ key, delete: true })))
    await session.put('key 000000', 'changed')
    const { head } = session
    await session.rewind({ seq })
    const [line] = await storage.store.read(run, head.seq + 1, 1)
    expect(line?.byteLength).toBeLessThan(5_000)
    expect(parseLine(line as Uint8Array)).not.toHaveProperty('bodyBlob')
    const lists = [session, await open({ storage }), await session.fork({ id: 'fork' })]
    for (const one of lists) {
      expect([...one.records().keys()]).toEqual(keys)
      expect(await one.get('key 000000')).toBe(10)
    }
    expect([...(await session.load({ seq: head.seq })).records.keys()]).toHaveLength(5_901)
  })

  it('the state is not stored with them, nor they with the state', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    await session.save({ notes: ['n'.repeat(20_000)], count: 0 })
    const before = await storedBytes(storage)
    await session.put('key', 'small')
    await session.update((draft) => void (draft.count = 1))
    expect(await storedBytes(storage)).toBeLessThan(before + 1_500)
  })
})

describe('retention', () => {
  const chatter = async (session: Awaited<ReturnType<typeof open>>, saves: number): Promise<void> => {
    for (let save = 0; save < saves; save += 1) {
      await session.save({ notes: [String(save).repeat(8_000)], count: save })
      for (let tasks = 0; tasks < 5; tasks += 1) await testClock.task()
    }
  }
  const firstSeq = async (storage: RunStorage): Promise<number> =>
    (JSON.parse(new TextDecoder().decode((await storage.store.read(run, 0, 1))[0])) as { seq: number }).seq

  it('lets go of saves, and never of what a live value needs', async () => {
    const storage = memoryStorage()
    const session = await open({ storage, retention: { saves: 5 } })
    await chatter(session, 60)
    expect(await firstSeq(storage)).toBeGreaterThan(10)
    await session.put('base', context(100))
    await session.put('kept', context(101), { like: 'base' })
    await session.delete('base')
    const { seq } = session.head
    await chatter(session, 120)
    expect(await firstSeq(storage)).toBeLessThan(seq - 1)
    const again = await open({ storage, retention: { saves: 5 } })
    expect(await again.get('kept')).toEqual(context(101))
    await again.delete('kept')
    await chatter(again, 120)
    expect(await firstSeq(storage)).toBeGreaterThan(seq)
    expect([...again.records().keys()]).toEqual([])
  })

  it('lets go of values that were put since a label, though the state never changes', async () => {
    const storage = memoryStorage()
    const session = await open({ storage, retention: {} })
    await session.label('begin')
    const { seq } = session.head
    for (let at = 0; at < 10; at += 1) {
      await session.put('page', String(at).repeat(80_000))
      for (let tasks = 0; tasks < 20; tasks += 1) await testClock.task()
    }
    expect(await firstSeq(storage)).toBeGreaterThan(seq)
    expect([...(await session.load({ seq })).records.keys()]).toEqual([])
    expect([...(await open({ storage })).records().keys()]).toEqual(['page'])
  })

  it('keeps each labelled checkpoint, and lets go of what is between, also when every save has a label', async () => {
    const storage = memoryStorage()
    const session = await open({ storage, retention: {} })
    for (let save = 0; save < 12; save += 1) {
      await session.save({ notes: [String(save).repeat(80_000)], count: save })
      await session.label(`save ${String(save)}`)
      for (let tasks = 0; tasks < 20; tasks += 1) await testClock.task()
    }
    expect(await firstSeq(storage)).toBeGreaterThan(12)
    const labelled = (await session.list()).filter(({ label }) => label !== undefined).toReversed()
    const counts = await Promise.all(
      labelled.map(async ({ seq }) => (await session.load({ seq })).state.count),
    )
    expect(counts).toEqual(Array.from({ length: 12 }, (_, save) => save))
  })

  it('keeps the values that a labelled checkpoint had', async () => {
    const storage = memoryStorage()
    const session = await open({ storage, retention: {} })
    await session.put('key', 'as it was')
    await session.label('milestone')
    const { seq } = session.head
    await session.put('key', 'changed')
    await chatter(session, 120)
    const labelled = await session.load({ seq })
    expect(await labelled.records.get('key')).toBe('as it was')
    await session.rewind({ seq })
    expect(await session.get('key')).toBe('as it was')
    const listed = await session.list({ limit: 1_000 })
    expect(listed.find(({ label }) => label === 'milestone')?.seq).toBe(seq)
  })

  /** A session that has overwritten a value and made several snapshots since; its retention keeps the last ones. */
  const overwritten = async (storage: RunStorage) => {
    const session = await open({ storage })
    await session.put('key', 'as it was')
    const { seq } = session.head
    await session.put('key', 'changed')
    await chatter(session, 60)
    await session.close()
    return seq
  }

  it('lets nothing go that a rewind brings back at the last moment', async () => {
    const storage = memoryStorage()
    const seq = await overwritten(storage)
    let meanwhile: (() => Promise<void>) | undefined
    const snapshots: Snapshots = {
      ...storage.snapshots,
      get: async (...args) => {
        const work = meanwhile
        meanwhile = undefined
        await work?.()
        return storage.snapshots.get(...args)
      },
    }
    const session = await open({ storage: { ...storage, snapshots }, retention: { saves: 1 } })
    meanwhile = () => session.rewind({ seq })
    await session.put('large', 'x'.repeat(200_000))
    await until(() => meanwhile === undefined)
    for (let tasks = 0; tasks < 50; tasks += 1) await testClock.task()
    expect(await session.get('key')).toBe('as it was')
    expect(await (await open({ storage })).get('key')).toBe('as it was')
  })

  it('refuses to go back to a checkpoint whose values were let go', async () => {
    const storage = memoryStorage()
    const first = await open({ storage, retention: {} })
    await first.put('key', 'as it was')
    await first.label('milestone')
    const { seq } = first.head
    await first.put('key', 'changed')
    await chatter(first, 60)
    await first.close()
    // A kill leaves the snapshot of a label that is not kept any more.
    const line = (await storage.snapshots.get(run, seq)) as Uint8Array
    const session = await open({ storage, retention: { labels: false } })
    await session.put('key', 'changed again')
    while ((await firstSeq(storage)) < seq) await chatter(session, 2)
    await storage.snapshots.put(run, seq, line)
    const { head } = session
    const loaded = await session.load({ seq })
    const gone = { code: 'checkpoint_gone' }
    await expect(loaded.records.get('key')).rejects.toMatchObject(gone)
    await expect(session.rewind({ seq })).rejects.toMatchObject(gone)
    await expect(session.fork({ seq })).rejects.toMatchObject(gone)
    expect(session.head).toEqual(head)
  })

  it('lists a labelled checkpoint whose entries are gone', async () => {
    const storage = memoryStorage()
    const session = await open({ storage, retention: {} })
    await chatter(session, 3)
    await session.label('milestone')
    const { seq } = session.head
    await chatter(session, 150)
    expect(await firstSeq(storage)).toBeGreaterThan(seq)
    const listed = await session.list({ limit: 1_000 })
    expect(listed.at(-1)).toMatchObject({ seq, label: 'milestone', owner: undefined })
    expect((await session.load({ seq })).state.count).toBe(2)
    await expect(session.load({ seq: seq + 1 })).rejects.toMatchObject({ code: 'checkpoint_gone' })
  })
})
