import { edgeApi, type EdgeApi, type Schemas } from '@waystone/client'
import { edgeClient } from '@waystone/browser'
import { headOfLine, parseLine, parseRunId, RunLog, Snapshotter, type EntryDraft } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { setImmediate as nextTask } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { firstEntry, note } from './asking-run.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

let world: SecurityWorld
let edge: EdgeApi
beforeAll(async () => {
  world = await startSecurityWorld({ SEARCHED: 'acme' })
  edge = edgeApi({ url: world.edge.process.url, token: () => world.token() })
})
afterAll(() => world.close())

const search = (
  q: string,
  query: { limit?: number; after?: string } = {},
  of = edge,
): Promise<Schemas['SearchPage']> => of.get('/v1/search', { params: { query: { q, ...query } } })

/** All that is found, by pages. */
async function all(q: string, limit = 50, of = edge): Promise<readonly Schemas['SearchHit'][]> {
  const hits: Schemas['SearchHit'][] = []
  for (let after: string | undefined = String(Number.MAX_SAFE_INTEGER); after !== undefined;) {
    const page: Schemas['SearchPage'] = await search(q, { limit, after }, of)
    hits.push(...page.hits)
    after = page.next
  }
  return hits
}

const places = (hits: readonly Schemas['SearchHit'][]): readonly string[] =>
  hits.map(({ run, seq }) => `${run}:${String(seq)}`)

/** Waits until exactly these entries are found, in any order: runs tell of them by an alarm. */
async function found(
  q: string,
  wanted: readonly string[],
  of = edge,
): Promise<readonly Schemas['SearchHit'][]> {
  const expected = JSON.stringify([...wanted].sort())
  const look = async (): Promise<readonly Schemas['SearchHit'][] | undefined> => {
    const hits = await all(q, 50, of)
    return JSON.stringify([...places(hits)].sort()) === expected ? hits : undefined
  }
  const message = async (): Promise<string> =>
    `expected ${expected}, found ${JSON.stringify(places(await all(q, 50, of)))}`
  return poll(look, { timeoutMs: 60_000, message })
}

const digest = '0'.repeat(64) as never
const run = (name: string) => parseRunId(name)

describe('search', () => {
  it('finds what is said in entries, by their words', async () => {
    const drafts: readonly EntryDraft[] = [
      firstEntry(run('ana.tides'), { title: 'On the tides of Brittany', digest: 'f'.repeat(64), count: 17 }),
      { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config: digest } },
      { kind: 'ask', body: { path: '0/go', input: digest, question: 'Shall we publish the café chapter?' } },
      {
        kind: 'step',
        body: {
          path: '0/write',
          attempts: 1,
          ms: 1,
          outcome: { value: { text: ['low water at <b>dawn</b>', 'Flut'] } },
        },
      },
      { kind: 'label', body: { path: '0/draft', label: 'first draft' } },
      note(0, 'spring tides come twice a month'),
    ]
    await world.push('acme', run('ana.tides'), drafts)
    const at = (...seqs: number[]) => seqs.map((seq) => `ana.tides:${String(seq)}`)
    await found('tides', at(0, 5))
    for (const [words, seqs] of [
      ['TIDES brittany', [0]],
      ['"tides of brittany"', [0]],
      ['"brittany tides"', []],
      ['brit*', [0]],
      ['brit', []],
      ['cafe', [2]],
      ['draft', [4]],
      ['tides month', [5]],
      ['month brittany', []],
      ['ffff*', []],
      ['17', []],
      ['asker', []],
    ] as const)
      expect([words, places(await all(words)).toSorted()]).toEqual([words, at(...seqs)])
    const [hit] = await all('dawn')
    expect(hit).toMatchObject({ run: 'ana.tides', seq: 3, kind: 'step', time: 1 })
    expect(hit?.snippet.map(({ text }) => text).join('')).toBe('low water at <b>dawn</b>\nFlut')
    expect(hit?.snippet.filter(({ match }) => match)).toEqual([{ text: 'dawn', match: true }])
  })

  it('takes anything for words, and nothing for syntax', async () => {
    const odd = [
      '"',
      '""',
      '*',
      '-',
      "'",
      'AND',
      'NEAR(a b)',
      'text:a',
      '^a',
      'a OR',
      '(',
      'a"b',
      '\u0000',
      'a\u0000b',
      '\ud800',
      '😀',
      '{a b}:c',
      'a + b',
      '%',
      '\\',
      ';--',
      '🄰*',
      '"a"*',
      '***',
    ]
    for (const q of odd) {
      const answer = await world.ask(
        `/v1/search?q=${encodeURIComponent(q.toWellFormed())}`,
        await world.token(),
      )
      expect([200, 400], `${q}: ${answer.text}`).toContain(answer.status)
    }
    for (const query of [
      '',
      '?q=',
      '?q=a&limit=0',
      '?q=a&after=x',
      `?q=${'a'.repeat(201)}`,
      `?q=${'a+'.repeat(30)}`,
    ])
      expect([query, (await world.ask(`/v1/search${query}`, await world.token())).code]).toEqual([
        query,
        'request_refused',
      ])
  })

  it('shows a token only the runs that it is for, by pages, and a tenant only its own', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `many.${String(index)}`)
    for (const name of names)
      await world.push('acme', run(name), [
        firstEntry(run(name), { text: 'a common word' }),
        note(0, 'a common end'),
      ])
    await world.push('globex', run('many.0'), [firstEntry(run('many.0'), { text: 'a common word' })])
    const wanted = names.flatMap((name) => [`${name}:0`, `${name}:1`])
    await found('common', wanted)
    for (const limit of [1, 7, 40]) {
      const pages = places(await all('common', limit))
      expect(new Set(pages).size).toBe(pages.length)
      expect(pages.toSorted()).toEqual(wanted.toSorted())
    }
    const as = async (runs: readonly string[]): Promise<EdgeApi> =>
      edgeApi({ url: world.edge.process.url, token: await world.token({ runs }) })
    expect(places(await all('common word', 50, await as(['many.1*', 'ana.*']))).toSorted()).toEqual(
      ['many.1', ...Array.from({ length: 10 }, (_, index) => `many.1${String(index)}`)]
        .map((name) => `${name}:0`)
        .toSorted(),
    )
    expect(places(await all('common word', 1, await as(['many.3'])))).toEqual(['many.3:0'])
    expect(await all('common', 50, await as([]))).toEqual([])
    // It is not switched on for them.
    const theirs = await world.ask('/v1/search?q=common', await world.token({ tenant: 'globex' }))
    expect([theirs.code, theirs.status]).toEqual(['request_refused', 400])
  })

  it('forgets what is deleted', async () => {
    for (const name of ['gone.1', 'gone.2'])
      await world.push('acme', run(name), [
        firstEntry(run(name), { text: 'soon forgotten' }),
        note(0, 'forgotten too'),
      ])
    await found('forgotten', ['gone.1:0', 'gone.1:1', 'gone.2:0', 'gone.2:1'])
    // One at once, the other while it still has something to tell.
    await edge.delete('/v1/runs/{run}', { params: { path: { run: 'gone.1' } } })
    await found('forgotten', ['gone.2:0', 'gone.2:1'])
    await world.push('acme', run('gone.3'), [
      firstEntry(run('gone.3'), { text: 'forgotten before it was found' }),
    ])
    for (const name of ['gone.2', 'gone.3'])
      await edge.delete('/v1/runs/{run}', { params: { path: { run: name } } })
    expect(await all('forgotten')).toEqual([])
  })

  it('forgets what retention lets go', async () => {
    const name = run('kept.short')
    const storage = memoryStorage()
    const log = await RunLog.open(name, { ...storage, now: () => 1 })
    const snapshotter = new Snapshotter(log, {
      ...{ me: laptop, blobs: storage.blobs, snapshots: storage.snapshots, tails: storage.tails },
      mayAppend: () => true,
      ...{
        clock: { now: () => 1, task: () => nextTask() },
        retention: () => undefined,
        synced: () => Infinity,
      },
    })
    const { body } = firstEntry(name, { note: 'the earliest words' })
    await log.append(laptop, () => [{ kind: 'start', body: { ...body, agent: 'forgetful' } }])
    const push = async (from: number): Promise<number> => {
      const lines: Uint8Array[] = []
      const head = log.mustFold().head.seq
      while (from + lines.length <= head) lines.push(...(await log.lines(from + lines.length)))
      for (const hash of lines.flatMap((line) => parseLine(line).blobs ?? []))
        await edgeOf.blobs.put(name, hash, (await storage.blobs.get(name, hash)) ?? expect.fail(hash))
      const base =
        from === 0 ? undefined : headOfLine((await log.lines(from - 1))[0] ?? expect.fail('no line'))
      expect(await edgeOf.remote.push(name, { base, lines })).toMatchObject({ ok: true })
      return head + 1
    }
    const edgeOf = edgeClient({ url: world.edge.process.url, token: () => world.token() }, laptop)
    let next = await push(0)
    await world.push('acme', run('kept.long'), [firstEntry(run('kept.long'), { text: 'as early' })])
    await found('earl*', ['kept.short:0', 'kept.long:0'])
    for (let turn = 0; turn < 12; turn += 1) {
      await log.append(laptop, () => [note(turn, `number${String(turn)} `.repeat(4_000))])
      await snapshotter.settle()
      next = await push(next)
    }
    await found('earl*', ['kept.long:0'])
    expect(places(await all('number11'))).toEqual([`kept.short:${String(log.mustFold().head.seq)}`])
    expect((await world.ask('/v1/runs/kept.short/entries?from=0', await world.token())).text).not.toContain(
      'earliest',
    )
  })
})

describe('search, whatever is killed,', () => {
  it('has what the runs have', async () => {
    const names = Array.from({ length: 16 }, (_, index) => `killed.${String(index)}`)
    const there: string[] = []
    for (const [index, name] of names.entries()) {
      const pushing = world
        .push('acme', run(name), [firstEntry(run(name), { text: 'survivor' })])
        .catch(() => undefined)
      if (index % 4 === 3) {
        if (index % 8 === 3) await pushing
        await world.edge.process.kill()
        await pushing
        await world.edge.start()
      } else await pushing
    }
    for (const name of names)
      if ((await world.ask(`/v1/runs/${name}/entries?from=0`, await world.token())).text !== '')
        there.push(`${name}:0`)
    expect(there.length).toBeGreaterThanOrEqual(12)
    await found('survivor', there)
  })

  it('has it once, when the answer of a shard was lost', async () => {
    const head = await world.push('acme', run('lost.1'), [
      firstEntry(run('lost.1'), { text: 'uniquely told' }),
    ])
    await found('uniquely', ['lost.1:0'])
    await world.edge.process.kill()
    await world.edge.start()
    await world.push('acme', run('lost.1'), [note(0, 'uniquely again')], head)
    await found('uniquely', ['lost.1:0', 'lost.1:1'])
  })
})
