import { describe, expect, it, vi } from 'vitest'
import type { RunId } from '../ids.ts'
import { memoryChannels, memoryLocks } from '../memory/memory-hosts.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Locks } from '../ports/locks.ts'
import { parseExport } from '../runtime/import-run.ts'
import { testClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { listed, open, openAs, until, type Notes } from './session.test-support.ts'
import type { SessionView } from './session-view.ts'

const note =
  (text: string) =>
  (draft: Notes): void =>
    void draft.notes.push(text)

describe('the state of a session', () => {
  it('is what was committed, also when the session is opened again', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    expect(session.state).toEqual({ notes: [], count: 0 })
    const first = await session.update(note('one'))
    expect(first).toEqual({ notes: ['one'], count: 0 })
    expect(session.state).toBe(first)
    await session.update(note('two'))
    await session.close()
    expect((await open({ storage })).state).toEqual({ notes: ['one', 'two'], count: 0 })
  })

  it('update() applies concurrent changes one after the other, asynchronous ones too', async () => {
    const session = await open()
    const seen: number[] = []
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        session.update(async (draft) => {
          seen.push(draft.count)
          if (at % 3 === 0) await testClock.task()
          draft.count += 1
        }),
      ),
    )
    expect(seen).toEqual(seen.map((_, at) => at))
    expect(session.state.count).toBe(20)
  })

  it('update() that throws, or writes what cannot be kept, stores nothing and stops nobody', async () => {
    const session = await open()
    const { head } = session
    await expect(
      session.update((draft) => {
        draft.count = 5
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await expect(
      session.update((draft) => void Object.assign(draft, { work: () => undefined })),
    ).rejects.toMatchObject({ code: 'value_refused' })
    expect(session.head).toEqual(head)
    await session.update(note('after'))
    expect(session.state).toEqual({ notes: ['after'], count: 0 })
  })

  it('update() that changes nothing writes nothing', async () => {
    const session = await open()
    const { head } = session
    await session.update((draft) => void (draft.count = 0))
    expect(session.head).toEqual(head)
  })

  it('save() takes a plain state that the caller goes on to change, and stores what differs', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    const mine: Notes = { notes: Array.from({ length: 500 }, (_, at) => `note ${String(at)}`), count: 1 }
    const saving = session.save(mine)
    mine.notes.push('too late')
    await saving
    expect(session.state.notes).toHaveLength(500)
    const { head } = session
    await session.save(mine)
    expect(session.state.notes.at(-1)).toBe('too late')
    const [line] = await storage.store.read('notes' as RunId, head.seq + 1)
    expect(line?.byteLength).toBeLessThan(600)
  })

  it('can be anything that can be kept', async () => {
    const session = await openAs<unknown>(7)
    await session.save(new Map([['a', new Date(5)]]))
    expect(session.state).toEqual(new Map([['a', new Date(5)]]))
    await session.save('text')
    expect(session.state).toBe('text')
  })

  it('is brought to the version of the code by the first write, and shown so before', async () => {
    const storage = memoryStorage()
    const before = await openAs({ text: 'a b' }, { storage })
    await before.close()
    const migrate = {
      2: ({ text }: { text: string }) => ({ words: text.split(' ') }),
      3: (state: object) => ({ ...state, count: 0 }),
    }
    const options = { storage, version: 3, migrate }
    const session = await openAs({ words: [] as string[], count: 0 }, options)
    expect(session.state).toEqual({ words: ['a', 'b'], count: 0 })
    await session.update((draft) => void draft.words.push('c'))
    expect((await session.load({ seq: 0 })).state).toEqual({ words: ['a', 'b'], count: 0 })
    await expect(before.refresh()).rejects.toMatchObject({ code: 'closed' })
    const again = await openAs({ words: [] as string[], count: 0 }, options)
    expect(again.state).toEqual({ words: ['a', 'b', 'c'], count: 0 })
    await expect(openAs({ text: '' }, { storage })).rejects.toMatchObject({ code: 'version_skew' })
    await expect(openAs({}, { storage, version: 4, migrate })).rejects.toMatchObject({ code: 'version_skew' })
  })

  it('is what it was, also when a migration changes what it is given', async () => {
    const storage = memoryStorage()
    await (await openAs({ text: 'a' }, { storage })).close()
    const migrate = { 2: (state: { text: string }) => Object.assign(state, { text: 'b' }) }
    const session = await openAs({ text: '' }, { storage, version: 2, migrate })
    await session.update(() => undefined)
    expect((await openAs({ text: '' }, { storage, version: 2 })).state).toEqual({ text: 'b' })
  })

  it('subscribe() tells the state at once and after every change, until it is stopped', async () => {
    const session = await open()
    const heard: SessionView<Notes>[] = []
    const stop = session.subscribe((view) => heard.push(view))
    await session.update(note('one'))
    stop()
    await session.update(note('two'))
    expect(heard.map(({ state }) => state.notes)).toEqual([[], ['one']])
    expect(heard.at(-1)).toMatchObject({ role: 'writer', sync: { online: false, synced: undefined } })
  })

  it('goes on when a listener throws', async () => {
    const failed = vi.fn()
    process.once('unhandledRejection', failed)
    const session = await open()
    session.subscribe(({ state }) => {
      if (state.count > 0) throw new Error('a listener')
    })
    await session.update((draft) => void (draft.count = 1))
    await until(() => failed.mock.calls.length > 0)
    expect(session.state.count).toBe(1)
  })
})

describe('checkpoints', () => {
  it('list() has them newest first, by pages, with their labels', async () => {
    const session = await open()
    for (let count = 0; count < 300; count += 1) await session.update(note(String(count)))
    await session.label('a milestone')
    await session.put('key', 1)
    const all = await session.list({ limit: 1_000 })
    expect(all.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => seq).sort((a, b) => b - a))
    expect(all.filter(({ trigger }) => trigger === 'commit')).toHaveLength(300)
    expect(all.slice(0, 3).map(({ trigger, label }) => [trigger, label])).toEqual([
      ['put', undefined],
      ['label', 'a milestone'],
      ['commit', undefined],
    ])
    expect(all.at(-1)).toMatchObject({ seq: 0, trigger: 'start', owner: 'laptop' })
    expect(await session.list({ before: 100, limit: 3 })).toEqual(
      all.filter(({ seq }) => seq < 100).slice(0, 3),
    )
    expect(await session.list({ limit: 0 })).toEqual([])
    expect(all[0]?.digest).toBe(session.head.digest)
  })

  it('load() gives the state and the records as they were', async () => {
    const session = await open()
    await session.update(note('one'))
    await session.put('key', 'first')
    const { seq } = session.head
    await session.update(note('two'))
    await session.put('key', 'second')
    await session.put('other', 1)
    const loaded = await session.load({ seq })
    expect(loaded.state).toEqual({ notes: ['one'], count: 0 })
    expect(await loaded.records.get('key')).toBe('first')
    expect([...loaded.records.keys()]).toEqual(['key'])
    await expect(session.load({ seq: 99 })).rejects.toMatchObject({ code: 'input_refused' })
    await expect(session.load({ seq: -1 })).rejects.toMatchObject({ code: 'input_refused' })
  })

  it('rewind() goes back by an entry: what was is still there to load', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    await session.update(note('one'))
    await session.put('key', 'first')
    const { seq } = session.head
    await session.update(note('two'))
    await session.put('key', 'second')
    await session.put('new', 1)
    const before = session.head
    await session.rewind({ seq })
    expect(session.state).toEqual({ notes: ['one'], count: 0 })
    expect(await session.get('key')).toBe('first')
    expect(await session.get('new')).toBeUndefined()
    await session.update(note('three'))
    await session.put('third', 3)
    expect((await session.load({ seq: before.seq })).state.notes).toEqual(['one', 'two'])
    const again = await open({ storage })
    expect(again.state.notes).toEqual(['one', 'three'])
    expect([...again.records().keys()]).toEqual(['key', 'third'])
    await expect(session.rewind({ seq: 1_000 })).rejects.toMatchObject({ code: 'input_refused' })
  })

  it('fork() makes a session of its own, with records, from any checkpoint', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    const long = 'what was said, at some length. '.repeat(40)
    await session.put('v1', { long, number: 1 })
    await session.put('v2', { long, number: 2 }, { like: 'v1' })
    await session.put('v1', 'another one by now')
    await session.put('v3', { long, number: 3 }, { like: 'v2' })
    await session.delete('v2')
    await session.update(note('one'))
    const { seq, digest } = session.head
    await session.put('v4', 4)
    const fork = await session.fork({ seq, id: 'fork' })
    expect(fork.from).toEqual({ run: 'notes', seq, digest })
    expect(fork.state.notes).toEqual(['one'])
    expect([...fork.records().keys()]).toEqual(['v1', 'v3'])
    expect(await fork.get('v3')).toEqual({ long, number: 3 })
    await fork.update(note('of the fork'))
    await fork.put('v3', 'changed')
    expect(session.state.notes).toEqual(['one'])
    expect(await session.get('v3')).toEqual({ long, number: 3 })
    expect((await session.fork({ seq, id: 'fork' })).state.notes).toEqual(['one', 'of the fork'])
    await expect(session.fork({ seq: 1, id: 'fork' })).rejects.toMatchObject({ code: 'run_exists' })
    await expect(session.fork({ id: 'notes' })).rejects.toMatchObject({ code: 'run_exists' })
    expect((await session.fork()).id).not.toBe(session.id)
  })

  it('export() has every entry and the state', async () => {
    const session = await open()
    await session.update(note('one'))
    await session.put('key', 'x'.repeat(100_000))
    const lines = await listed(session.export().lines())
    const parsed = parseExport(lines)
    expect(parsed.lines).toHaveLength(session.head.seq + 1)
    expect(parsed.state).toEqual({ notes: ['one'], count: 0 })
    expect(await listed(session.export().blobs())).toHaveLength(1)
  })
})

describe('several tabs', () => {
  it('apply all of their updates, whoever is faster', async () => {
    const storage = memoryStorage()
    const locks = memoryLocks()
    let held = 0
    let taken = 0
    const acquire: Locks['acquire'] = async (...args) => {
      const lock = await locks.acquire(...args)
      held += 1
      taken += 1
      expect(held).toBe(1)
      return {
        release: () => {
          held -= 1
          lock.release()
        },
      }
    }
    const tabs = await Promise.all(Array.from({ length: 4 }, () => open({ storage, locks: { acquire } })))
    await Promise.all(
      tabs.flatMap((tab) => Array.from({ length: 10 }, () => tab.update((draft) => void (draft.count += 1)))),
    )
    const again = await open({ storage })
    expect(again.state.count).toBe(40)
    expect(taken).toBeGreaterThan(0)
    expect(held).toBe(0)
  })

  it('that seal the same change in the same millisecond both make it', async () => {
    const storage = memoryStorage()
    const clock = { ...testClock, now: () => 1 }
    const tabs = await Promise.all([open({ storage, clock }), open({ storage, clock })])
    await Promise.all(tabs.map((tab) => tab.update((draft) => void (draft.count += 1))))
    expect((await open({ storage })).state.count).toBe(2)
  })

  it('hear each other by a channel', async () => {
    const storage = memoryStorage()
    const channels = memoryChannels()
    const one = await open({ storage, channel: channels() })
    const two = await open({ storage, channel: channels() })
    await one.update(note('from the other tab'))
    await until(() => two.state.notes.length > 0)
    await two.update(note('back'))
    await until(() => one.state.notes.length > 1)
    expect(one.head).toEqual(two.head)
  })

  it('save() does not write over what another tab has changed meanwhile', async () => {
    const storage = memoryStorage()
    const one = await open({ storage })
    const two = await open({ storage })
    await two.update(note('of two'))
    const { head } = two
    await expect(one.save({ notes: ['of one'], count: 0 })).rejects.toMatchObject({ code: 'head_moved' })
    expect(one.state.notes).toEqual(['of two'])
    expect(one.head).toEqual(head)
    await one.save({ notes: [...one.state.notes, 'of one'], count: 0 })
    await two.refresh()
    expect(two.state.notes).toEqual(['of two', 'of one'])
  })

  it('apply an update again that another tab has overtaken while it was made, also when that was heard', async () => {
    const storage = memoryStorage()
    const other = await open({ storage })
    const session = await open({ storage })
    const seen: number[] = []
    await session.update(async (draft) => {
      seen.push(draft.count)
      if (seen.length === 1) {
        await other.update((theirs) => void (theirs.count += 1))
        await session.refresh()
      }
      draft.count += 10
    })
    expect(seen).toEqual([0, 1])
    expect(session.state.count).toBe(11)
  })

  it('give up when others are faster again and again', async () => {
    const storage = memoryStorage()
    const other = await open({ storage })
    const session = await open({ storage })
    await expect(
      session.update(async (draft) => {
        await other.update((theirs) => void (theirs.count += 1))
        draft.count = -1
      }),
    ).rejects.toMatchObject({ code: 'head_moved' })
    expect(other.state.count).toBe(20)
  })

  it('open one session when they open it at the same time', async () => {
    const storage = memoryStorage()
    const tabs = await Promise.all(Array.from({ length: 5 }, () => open({ storage })))
    expect(new Set(tabs.map(({ head }) => head.digest)).size).toBe(1)
  })
})

describe('what cannot be', () => {
  it('is refused before anything is written', async () => {
    await expect(open({ id: 'no spaces' })).rejects.toMatchObject({ code: 'input_refused' })
    await expect(open({ me: '' })).rejects.toMatchObject({ code: 'input_refused' })
    await expect(open({ version: 0 })).rejects.toMatchObject({ code: 'input_refused' })
    await expect(open({ claim: 'never' as never })).rejects.toMatchObject({ code: 'input_refused' })
    await expect(open({ retention: { saves: -1 } })).rejects.toMatchObject({ code: 'input_refused' })
    const storage = memoryStorage()
    await expect(openAs(() => () => 1, { storage })).rejects.toMatchObject({ code: 'value_refused' })
    expect(await storage.store.head('notes' as RunId)).toBeUndefined()
    const session = await open()
    await expect(session.label('')).rejects.toMatchObject({ code: 'input_refused' })
    await expect(session.list({ limit: 1_001 })).rejects.toMatchObject({ code: 'input_refused' })
    await expect(session.save(Symbol('x') as never)).rejects.toMatchObject({ code: 'value_refused' })
  })

  it('is written after close(): everything rejects with `closed`', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    const waiting = session.update(async (draft) => {
      await testClock.task()
      draft.count = 1
    })
    const closing = session.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await closing
    await expect(session.update(note('x'))).rejects.toMatchObject({ code: 'closed' })
    await expect(session.put('x', 1)).rejects.toMatchObject({ code: 'closed' })
    await expect(session.label('x')).rejects.toMatchObject({ code: 'closed' })
    await expect(session.claim()).rejects.toMatchObject({ code: 'closed' })
    expect((await open({ storage })).state).toEqual({ notes: [], count: 0 })
  })

  it('is a session of which not even the beginning can be read', async () => {
    const storage = memoryStorage()
    const { id } = await open({ storage })
    const [line] = (await storage.store.read(id, 0)) as [Uint8Array]
    const damaged = {
      ...storage.store,
      read: async (...args: Parameters<typeof storage.store.read>) =>
        args[1] === 0 ? [line.with(20, (line[20] as number) ^ 1)] : [],
    }
    await expect(open({ storage: { ...storage, store: damaged } })).rejects.toMatchObject({
      code: 'log_damaged',
    })
    expect((await open({ storage })).damage).toBeUndefined()
  })

  it('is a session that a Runtime of the same storage goes on with', async () => {
    const device = testDevice([])
    const session = await open({ storage: device, me: 'laptop' })
    await session.update(note('one'))
    const { head } = session
    const runtime = await device.open()
    for (let tasks = 0; tasks < 20; tasks += 1) await testClock.task()
    await session.refresh()
    expect(session.head).toEqual(head)
    await runtime.close()
  })

  it('is a session over an agent’s run', async () => {
    const storage = memoryStorage()
    const session = await open({ storage })
    const [line] = await storage.store.read(session.id, 0)
    const text = new TextDecoder().decode(line).replace('"agent":""', '"agent":"other"')
    const others = memoryStorage()
    const bytes = new TextEncoder().encode(text)
    await others.store.append(session.id, { base: undefined, lines: [bytes], durability: 'relaxed' })
    await expect(open({ storage: others })).rejects.toMatchObject({ code: 'run_exists' })
  })
})

it('one listener that is given twice is stopped each time by itself', async () => {
  const session = await open()
  let heard = 0
  const listener = (): void => void (heard += 1)
  const stop = session.subscribe(listener)
  session.subscribe(listener)
  stop()
  heard = 0
  await session.update(note('x'))
  expect(heard).toBeGreaterThan(0)
})
