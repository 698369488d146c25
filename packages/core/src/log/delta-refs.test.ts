import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import type { Digest } from '../ids.ts'
import type { Json } from '../json.ts'
import { handleOf, testDevice } from '../runtime/memory-world.test-support.ts'
import { encodeValue, type Value } from '../state/codec.ts'
import { applyDelta, diff, parseDelta } from '../state/delta.ts'
import { nameResults, resolveResults } from './delta-refs.ts'
import { foldEntry, type Fold, type TurnRecord } from './fold.ts'
import { RunLog } from './run-log.ts'

const page = Array.from({ length: 12_000 }, (_, i) => `word${(i * 7919) % 12_007}`).join(' ')

function stepOf(path: string, value: unknown): TurnRecord {
  const body = { path, attempts: 1, ms: 1, outcome: { value: encodeValue(value) } }
  return { kind: 'step', body, time: 1, digest: '0'.repeat(64) as Digest, owner: undefined, inert: false }
}

const named = (base: Value, after: Value, records: readonly TurnRecord[]): Json =>
  nameResults(diff(base, after), records)

describe('nameResults()', () => {
  const records = [
    stepOf('0/small', 'x'),
    stepOf('0/get', { status: 200, page: { text: page, links: [page.slice(0, 300), 'short'] } }),
    stepOf(
      '0/embed',
      Float32Array.from({ length: 500 }, (_, i) => i / 7),
    ),
  ]

  it.each<[string, Value, Value, Json]>([
    ['a text', {}, { text: page }, [['set', ['text'], { $: 'step', v: ['0/get', 'page', 'text'] }]]],
    [
      'all that a step gave',
      { got: [] },
      { got: [{ status: 200, page: { text: page, links: [page.slice(0, 300), 'short'] } }] },
      [['splice', ['got'], 0, 0, [{ $: 'step', v: ['0/get'] }]]],
    ],
    [
      'a part inside of what is new',
      {},
      { note: { by: 'me', source: { text: page, links: [page.slice(0, 300), 'short'] } } },
      [['set', ['note'], { by: 'me', source: { $: 'step', v: ['0/get', 'page'] } }]],
    ],
    [
      'a typed array',
      { vectors: [] },
      { vectors: [Float32Array.from({ length: 500 }, (_, i) => i / 7)] },
      [['splice', ['vectors'], 0, 0, [{ $: 'step', v: ['0/embed'] }]]],
    ],
    [
      'what is appended to a text',
      { text: 'y'.repeat(300) },
      { text: 'y'.repeat(300) + page },
      [['splice', ['text'], 300, 0, { $: 'step', v: ['0/get', 'page', 'text'] }]],
    ],
    [
      'some of a text',
      {},
      { text: page.slice(100, 50_000) },
      [['set', ['text'], { $: 'step', v: ['0/get', 'page', 'text'], at: [100, 50_000] }]],
    ],
    [
      'a text inside of a text',
      {},
      { text: `# Page\n${page}\n` },
      [
        [
          'set',
          ['text'],
          { $: 'joined', v: ['# Page\n', { $: 'step', v: ['0/get', 'page', 'text'] }, '\n'] },
        ],
      ],
    ],
  ])('names %s', (_, base, after, delta) => {
    expect(named(base, after, records)).toEqual(delta)
    const back = applyDelta(
      base,
      parseDelta(resolveResults(JSON.parse(JSON.stringify(delta)) as Json, records)),
    )
    expect(encodeValue(back)).toEqual(encodeValue(after))
  })

  it('repeats what is small, what another turn gave and what differs in one place', () => {
    const delta = diff(
      {},
      { text: page.slice(0, 200), other: `${page.slice(250, 60_000)}!${page.slice(60_001)}` },
    )
    expect(nameResults(delta, records)).toEqual(delta)
    const whole = diff({}, { text: page })
    expect(nameResults(whole, [])).toEqual(whole)
  })

  it('takes no value for a name', () => {
    const value = { $: 'step', v: ['0/get'] }
    const after = { value: [value, page] }
    const delta = named({}, after, records)
    expect(applyDelta({}, parseDelta(resolveResults(delta, records)))).toEqual(after)
  })

  it('names what messages and answers gave', () => {
    const message = {
      kind: 'receive',
      body: { path: '0/hint', name: 'hint', id: 'a', value: page, by: 'me' },
    }
    const items = [{ id: 'b', value: { n: page }, by: 'me' }]
    const drained = { kind: 'drain', body: { path: '0/all', name: 'hint', items } }
    const given = [message, drained].map((record) => ({ ...stepOf('', 1), ...record }) as TurnRecord)
    expect(named({}, { a: page }, given)).toEqual([['set', ['a'], { $: 'step', v: ['0/hint'] }]])
    expect(named({}, { a: { n: page } }, given)).toEqual([['set', ['a'], { $: 'step', v: ['0/all', 0] }]])
  })

  it('is undone by resolveResults(), whatever is put', () => {
    const texts = fc.constantFrom(
      page,
      page.slice(0, 400),
      page.slice(300, 9000),
      `a${page.slice(0, 400)}b`,
      'short',
    )
    const values = fc.oneof(
      texts,
      fc.array(texts, { maxLength: 3 }),
      fc.dictionary(fc.string(), texts, { maxKeys: 3 }),
    )
    fc.assert(
      fc.property(fc.array(values, { maxLength: 3 }), values, values, (given, before, after) => {
        const all = given.map((value, i) => stepOf(`0/${i}`, value))
        const delta = diff({ at: before }, { at: after })
        const back = resolveResults(JSON.parse(JSON.stringify(nameResults(delta, all))) as Json, all)
        expect(back).toEqual(JSON.parse(JSON.stringify(delta)))
      }),
    )
  })
})

describe('resolveResults()', () => {
  it('refuses what no record gave', () => {
    const refused = expect.objectContaining({ code: 'delta_refused' })
    for (const v of [['0/none'], ['0/get', 'none'], ['0/get', 'constructor']]) {
      const delta = [['set', ['a'], { $: 'step', v }]]
      expect(() => resolveResults(delta, [stepOf('0/get', { a: 1 })])).toThrow(refused)
    }
  })
})

describe('a turn that stores what its steps gave', () => {
  const reader = defineAgent({
    name: 'reader',
    version: 1,
    initial: () => ({ pages: [] as string[], vector: [] as number[], log: '' }),
    async turn(ctx, state) {
      const got = await ctx.step('get', () => ({
        page,
        vector: Array.from({ length: 1000 }, (_, i) => i / 7),
      }))
      await ctx.label('read')
      state.pages.push(got.page)
      state.vector = got.vector
      state.log += `${String(ctx.turn)}: ${got.page}\n`
      return ctx.turn === 1 ? done(state.pages.length) : next()
    },
  })

  it('commits a few bytes, in development too, and the log folds to the same state after a reload', async () => {
    const device = testDevice([reader], { development: true })
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('reader', null, { id: 'r' }))
    expect(await run.result()).toBe(2)
    const state = run.view()?.state
    expect(state).toMatchObject({ pages: [page, page], log: `0: ${page}\n1: ${page}\n` })
    const commits = run.entries().filter(({ kind }) => kind === 'commit')
    expect(commits.map(({ body }) => JSON.stringify(body).length < 700)).toEqual([true, true])
    await runtime.close()
    const log = await RunLog.open('r' as never, { ...device, now: () => 0 })
    expect(log.mustFold().state).toEqual(state)
    const entries = await log.entries(0, Infinity)
    const folded = entries.reduce<Fold | undefined>((fold, entry) => foldEntry(fold, entry), undefined)
    expect(folded?.state).toEqual(state)
  })

  it('goes on in a fork that carries the record, and commits a few bytes there', async () => {
    const device = testDevice([reader])
    const runtime = await device.open()
    const source = await handleOf(runtime, await runtime.start('reader', null, { id: 'r' }))
    await source.result()
    const label = source.entries().findIndex(({ kind }) => kind === 'label')
    const fork = await handleOf(runtime, await source.fork({ seq: label, id: 'f' } as never))
    expect(await fork.result()).toBe(2)
    const [commit] = fork.entries().filter(({ kind }) => kind === 'commit')
    expect(JSON.stringify(commit?.body).length).toBeLessThan(700)
    const id = fork.id
    await runtime.close()
    const log = await RunLog.open(id, { ...device, now: () => 0 })
    expect(log.mustFold().state).toEqual(source.view()?.state)
  })
})
