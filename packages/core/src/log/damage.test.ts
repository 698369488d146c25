import { describe, expect, it } from 'vitest'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { Digest } from '../ids.ts'
import type { Cipher } from '../ports/cipher.ts'
import { utf8 } from '../state/digest.ts'
import type { EntryDraft } from './bodies.ts'
import { effectsStarted } from './damage.ts'
import { parseLine } from './entry.ts'
import { LogReader } from './log-reader.ts'
import { commitListed, firstIn, me, run, start } from './log.test-support.ts'
import { RunLog } from './run-log.ts'
import { shortest, tidied } from './tidied-log.test-support.ts'

it('effectsStarted() passes over what is sealed and was damaged', () => {
  const header = { format: 1, run, seq: 1, prev: '0'.repeat(64), epoch: 0, term: 1, owner: me, time: 1 }
  const cipher = { has: () => true, isOf: () => true } as unknown as Cipher
  for (const enc of ['^^^^', undefined]) {
    const line = utf8(JSON.stringify({ ...header, kind: 'once.start', key: 'k', body: {}, enc }))
    expect(effectsStarted([line], cipher)).toEqual([])
  }
})

const began: EntryDraft = {
  kind: 'once.start',
  body: { path: '6/pay', key: 'k', timeoutMs: 1_000, place: 'browser' },
}

/** A log of a start, turns 0 to 5 and an effect, each an entry, in a storage whose bytes can be changed. */
async function stored(): Promise<{ readonly lines: Uint8Array[]; readonly storage: RunStorage }> {
  const memory = memoryStorage()
  const log = await RunLog.open(run, { ...memory, now: () => 1 })
  await log.append(me, () => [start({ list: [] }), ...[0, 1, 2, 3, 4, 5].map(commitListed), began])
  const lines = [...(await memory.store.read(run, 0))]
  // As the stores do that keep the digest of the last line beside it.
  const head = (await memory.store.head(run)) ?? null
  return { lines, storage: withLines(memory, lines, head) }
}

/** A storage whose log has these lines, whatever they are, until something is appended. */
function withLines(
  memory: RunStorage,
  lines: readonly Uint8Array[],
  head: Awaited<ReturnType<RunStorage['store']['head']>> | null,
): RunStorage {
  let kept = [...lines]
  const aside: Uint8Array[][] = []
  return {
    ...memory,
    store: {
      ...memory.store,
      read: async (_, from) => kept.slice(from).map((line) => line.slice()),
      head: async () => head ?? undefined,
      append: async (_, append) => {
        const keep = (append.base?.seq ?? -1) + 1
        if (append.setAside) aside.push(kept.slice(keep))
        kept = [...kept.slice(0, keep), ...append.lines]
        head = append.end ?? append.base ?? null
        return { ok: true, head: head as never }
      },
    },
    tails: {
      list: async () => aside.map((tail) => ({ name: 'a', reason: 'r', time: 1, lines: tail })),
      drop: async () => undefined,
    },
  }
}

/** An entry still, and not the one that was written. */
function ofAnotherTime(line: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(line)
  return new TextEncoder().encode(text.replace('"time":1', '"time":3'))
}

describe('a damaged log', () => {
  const places = [0.1, 0.35, 0.6, 0.97]
  const cases = [1, 2, 3, 4, 5, 6, 7].flatMap((seq) => places.map((place) => [seq, place] as const))

  it.for(cases)(
    'with a byte of entry %s changed at %s goes on from the entry before',
    async ([seq, place]) => {
      const { lines, storage } = await stored()
      const line = lines[seq] as Uint8Array
      const at = Math.floor(line.byteLength * place)
      const bad = lines.with(seq, line.with(at, (line[at] as number) ^ 4))
      const damaged = withLines(storage, bad, (await storage.store.head(run)) ?? null)
      const log = await RunLog.open(run, { ...damaged, now: () => 2 })
      expect(log.mustFold().head).toEqual({
        seq: seq - 1,
        digest: parseLine(lines[seq - 1] as Uint8Array).digest,
      })
      expect(log.mustFold().state).toEqual({ list: [0, 1, 2, 3, 4, 5].slice(0, seq - 1) })
      expect((await damaged.tails.list(run))[0]?.lines).toEqual(bad.slice(seq))
      expect(log.damage).toMatchObject({
        seq,
        effects: seq === 7 ? log.damage?.effects : [{ path: '6/pay', key: 'k' }],
      })
      // It goes on, and what it writes then is sound.
      await log.append(me, () => [commitListed(log.mustFold().turn)])
      const again = await RunLog.open(run, { ...damaged, now: () => 3 })
      expect(again.damage).toBeUndefined()
      expect(again.mustFold()).toEqual(log.mustFold())
    },
  )

  it.each<EntryDraft>([
    { kind: 'step', body: { path: '0/a', attempts: 1, ms: 2, outcome: { value: { $: 'undefined' } } } },
    {
      kind: 'once',
      body: { path: '0/a', start: '0'.repeat(64) as Digest, ms: 1, outcome: { value: 1 }, how: 'ran' },
    },
    { kind: 'drain', body: { path: '0/a', name: 'n', items: [{ id: 'i', value: 1, by: 'b' }] } },
    { kind: 'race', body: { path: '0/a', winner: 'w', losers: ['l'] } },
    {
      kind: 'pause',
      body: { reason: 'error', error: { code: 'bug', message: 'm' }, actions: ['retry'], effects: [] },
    },
    { ...commitListed(0) },
    began,
  ])('with any bit changed of a last entry that is a $kind goes on from the entry before', async (draft) => {
    const memory = memoryStorage()
    const log = await RunLog.open(run, { ...memory, now: () => 1 })
    await log.append(me, () => [start({ list: [] }), draft])
    const lines = await memory.store.read(run, 0)
    const head = (await memory.store.head(run)) ?? null
    const line = lines[1] as Uint8Array
    // The number of the format comes first: with another one it is an entry of a later Waystone.
    for (let at = '{"format":1'.length; at < line.byteLength; at += 1) {
      const flipped = line.with(at, (line[at] as number) ^ (1 << (at % 8)))
      const storage = withLines(memory, [...lines.slice(0, 1), flipped], head)
      const opened = await RunLog.open(run, { ...storage, now: () => 2 })
      expect([at, opened.mustFold().head.seq, opened.damage?.seq]).toEqual([at, 0, 1])
    }
  })

  it('is not read up to an entry that is not what was written', async () => {
    const { storage } = await stored()
    const { read } = storage.store
    const changed = async (...args: Parameters<typeof read>): Promise<readonly Uint8Array[]> =>
      (await read(...args)).map((line) => (parseLine(line).seq === 3 ? ofAnotherTime(line) : line))
    const reader = new LogReader(run, { ...storage, store: { ...storage.store, read: changed } })
    await expect(reader.foldTo(3)).rejects.toMatchObject({ code: 'log_damaged' })
    expect((await reader.foldTo(2))?.head.seq).toBe(2)
  })

  it('still tells by which digest each entry is known, wherever one is damaged', async () => {
    const { lines, storage } = await stored()
    const heads = lines.map(parseLine).map(({ seq, digest, epoch }) => ({ seq, digest, epoch }))
    const notRead = (line: Uint8Array): Uint8Array => line.with(20, (line[20] as number) ^ 0x80)
    const afterAnother = (line: Uint8Array): Uint8Array => {
      const at = new TextDecoder().decode(line).indexOf('"prev":"')
      return at < 0 ? notRead(line) : line.with(at + 8, (line[at + 8] as number) ^ 1)
    }
    for (const way of [notRead, ofAnotherTime, afterAnother])
      for (const damaged of lines.keys()) {
        const now = lines.map((line, index) => (index === damaged ? way(line) : line))
        const read: RunStorage['store']['read'] = async (_, from, count) =>
          now.slice(from, from + Math.min(count ?? Infinity, 3))
        const reader = new LogReader(run, { ...storage, store: { ...storage.store, read } })
        expect(await reader.heads(0, 7)).toEqual(heads)
        for (const head of heads) expect(await reader.heads(head.seq, head.seq)).toEqual([head])
      }
  })

  it('with two damaged entries side by side believes neither of them', async () => {
    const { lines, storage } = await stored()
    const [third, fourth] = lines.slice(3, 5).map(ofAnotherTime) as [Uint8Array, Uint8Array]
    const bad = lines.with(3, third).with(4, fourth)
    const damaged = withLines(storage, bad, (await storage.store.head(run)) ?? null)
    const log = await RunLog.open(run, { ...damaged, now: () => 2 })
    expect(log.mustFold().head.seq).toBe(2)
    expect(log.damage).toMatchObject({ seq: 3 })
  })

  it('of which nothing can be read takes its beginning from elsewhere, and keeps what was there', async () => {
    const { lines, storage } = await stored()
    const first = lines[0] as Uint8Array
    const bad = lines.with(0, first.with(5, (first[5] as number) ^ 4))
    const damaged = withLines(storage, bad, (await storage.store.head(run)) ?? null)
    const log = await RunLog.open(run, { ...damaged, now: () => 2 })
    expect(log.fold).toBeUndefined()
    expect(log.damage).toMatchObject({ seq: 0 })
    await log.adopt(lines)
    expect(log.mustFold().head.seq).toBe(7)
    expect((await damaged.tails.list(run))[0]?.lines).toEqual(bad)
  })

  it.for(['its last entry', 'the entry of its newest snapshot'])(
    'that begins later is set aside from %s on when that is damaged',
    async (which) => {
      const storage = memoryStorage()
      const { log: before, turn } = await tidied(storage, shortest)
      for (let count = 0; count < 20 || before.mustFold().since.entries > 0; count += 1) await turn()
      if (which === 'its last entry') await turn()
      const { head } = before.mustFold()
      expect(await firstIn(storage)).toBeGreaterThan(5)
      const { read, append } = storage.store
      let isDamaged = true
      storage.store.read = async (of, from, count) =>
        (await read(of, from, count)).map((line) =>
          isDamaged && parseLine(line).seq === head.seq ? line.with(3, (line[3] as number) ^ 4) : line,
        )
      storage.store.append = async (of, what) => {
        const appended = await append(of, what)
        if (what.setAside) isDamaged = false
        return appended
      }
      const log = await RunLog.open(run, { ...storage, now: () => 1 })
      expect(log.damage).toMatchObject({ seq: head.seq })
      expect(log.mustFold().head.seq).toBe(head.seq - 1)
    },
  )

  it('of a later format is refused, not set aside', async () => {
    const { lines, storage } = await stored()
    const newer = new TextEncoder().encode(JSON.stringify({ format: 99 }))
    const damaged = withLines(storage, [...lines, newer], (await storage.store.head(run)) ?? null)
    await expect(RunLog.open(run, { ...damaged, now: () => 2 })).rejects.toMatchObject({
      code: 'format_newer',
    })
    expect(await damaged.tails.list(run)).toEqual([])
  })
})
