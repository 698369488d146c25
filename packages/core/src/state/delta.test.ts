import { describe, expect, it } from 'vitest'
import { encodeValue, type Value } from './codec.ts'
import { applyDelta, parseDelta, type Delta } from './delta.ts'
import { diff } from './diff.ts'

const messages = Array.from({ length: 1000 }, (_, i) => ({
  role: 'user',
  content: `message ${i} `.repeat(20),
}))
const bytesOf = (delta: Delta): number => JSON.stringify(delta).length
const refused = expect.objectContaining({ code: 'delta_refused' })

describe('diff()', () => {
  it('is one small splice when the first half of a list goes', () => {
    expect(diff({ messages }, { messages: messages.slice(500) })).toEqual([
      ['splice', ['messages'], 0, 500, []],
    ])
  })

  it('costs only what is new when a list drops old items and gains new ones, whatever the counts', () => {
    for (const kept of [500, 999]) {
      const next = [
        ...messages.slice(-kept),
        ...messages.slice(0, 1000 - kept).map((m) => ({ ...m, content: 'n' })),
      ]
      expect(bytesOf(diff({ messages }, { messages: next.slice(0, kept + 1) }))).toBeLessThan(150)
    }
  })

  it('moves one item of a list without repeating the others', () => {
    const next = [...messages.slice(-1), ...messages.slice(0, -1)]
    expect(bytesOf(diff(messages, next))).toBeLessThan(400)
  })

  it('names only the property that changed in an item', () => {
    const next = messages.map((m, i) => (i === 7 ? { ...m, content: 'short' } : m))
    expect(diff({ messages }, { messages: next })).toEqual([['set', ['messages', 7, 'content'], 'short']])
  })

  it('tells 0 from -0 in a list', () => {
    expect(diff([new Date(0), 0], [new Date(0), -0])).toEqual([['set', [1], { $: 'number', v: '-0' }]])
  })

  it('goes by value where references differ', () => {
    expect(diff({ messages }, structuredClone({ messages }))).toEqual([])
  })

  it('appends to a long text and to bytes', () => {
    const text = 'x'.repeat(1000)
    expect(diff({ text }, { text: `${text}!` })).toEqual([['splice', ['text'], 1000, 0, '!']])
    const bytes = new Uint8Array(200)
    expect(diff(bytes, Uint8Array.from([...bytes, 1]))).toEqual([['splice', [], 200, 0, 'AQ==']])
  })

  it('counts nothing twice where a text only repeats itself', () => {
    const delta = diff('a'.repeat(10_000), 'a'.repeat(6000))
    expect(delta).toEqual([['splice', [], 6000, 4000, '']])
  })

  it('stores a short text whole', () => {
    expect(diff('abc', 'abcd')).toEqual([['set', [], 'abcd']])
  })

  it('adds to a record with numbers for names without repeating what follows them', () => {
    expect(diff({ 5: 'a', 7: 'b', x: 1 }, { 5: 'a', 6: 'n', 7: 'b', x: 1 })).toEqual([['set', ['6'], 'n']])
  })

  it('deletes and appends again what comes after a property out of place', () => {
    expect(diff({ a: 1, b: 2, c: 3 }, { a: 1, c: 3, b: 2 })).toEqual([
      ['del', ['b']],
      ['set', ['b'], 2],
    ])
    expect(diff({ a: 1, b: 2, long: 'x'.repeat(60) }, { a: 1, n: 0, b: 2, long: 'x'.repeat(60) })).toEqual([
      ['set', [], { a: 1, n: 0, b: 2, long: 'x'.repeat(60) }],
    ])
  })

  it('leads through a Map to the value of an entry, through a Set to an item, by their positions', () => {
    const map = new Map<unknown, unknown>([[{ key: 1 }, { list: [1], text: 'x'.repeat(60) }]])
    const next = new Map<unknown, unknown>([
      [{ key: 1 }, { list: [1, 2], text: 'x'.repeat(60) }],
      ['b', new Set([1])],
    ])
    const delta = diff({ map } as unknown as Value, { map: next } as unknown as Value)
    expect(delta).toEqual([
      ['splice', ['map', 0, 'list'], 1, 0, [2]],
      ['splice', ['map'], 1, 0, [['b', { $: 'set', v: [1] }]]],
    ])
    expect(diff(new Set([1, [2]]), new Set([1, [2, 3]]))).toEqual([['splice', [1], 1, 0, [3]]])
  })

  it('names where something was instead of repeating it', () => {
    const page = 'x'.repeat(100)
    const kept = 'y'.repeat(100)
    expect(diff({ page, kept }, { kept, pages: [page] })).toEqual([
      ['del', ['page']],
      ['set', ['pages'], [{ $: 'was', v: ['page'] }]],
    ])
    const [first, ...rest] = messages.slice(0, 20)
    expect(diff([first, ...rest], [...rest, first] as Value)).toEqual([
      ['splice', [], 20, 0, [{ $: 'was', v: [0] }]],
      ['splice', [], 0, 1, []],
    ])
    expect(diff({ a: messages.slice(0, 9), b: [] }, { a: [], b: messages.slice(0, 9) })).toEqual([
      ['splice', ['a'], 0, 9, []],
      ['splice', ['b'], 0, 0, [{ $: 'run', v: ['a', 0, 9] }]],
    ])
  })

  it('changes a typed array by its bytes', () => {
    const base = Float32Array.from({ length: 100 }, (_, i) => i)
    const delta = diff(base, base.with(50, -1))
    expect(delta).toEqual([['splice', [], 202, 2, 'gL8=']])
    expect(applyDelta(base, delta)).toEqual(base.with(50, -1))
  })

  it('tells a hole from undefined', () => {
    const holey = Object.assign([1], { 2: 3 })
    for (const [from, to] of [
      [holey, [1, undefined, 3]],
      [[1, undefined, 3], holey],
      [[1, 2, 3], holey],
    ] as Value[][]) {
      const next = applyDelta(from as Value, diff(from as Value, to as Value)) as unknown[]
      expect(1 in next).toBe(1 in (to as unknown[]))
    }
  })

  it('holds no reference into either side', () => {
    const next = { list: [{ n: 1 }] }
    const delta = diff({ list: [] }, next)
    next.list.push({ n: 2 })
    expect(applyDelta({ list: [] }, delta)).toEqual({ list: [{ n: 1 }] })
  })
})

describe('applyDelta()', () => {
  it('shares what no change touched with the base', () => {
    const base = { a: { x: [1] }, b: { y: [2] } }
    const next = applyDelta(base, [['set', ['a', 'x', 0], 9]]) as typeof base
    expect(next).toEqual({ a: { x: [9] }, b: { y: [2] } })
    expect(next.b).toBe(base.b)
    expect(base.a.x).toEqual([1])
  })

  it.each<[string, Value, Delta]>([
    ['a missing parent', {}, [['set', ['a', 'b'], 1]]],
    ['a missing property to delete', {}, [['del', ['a']]]],
    ['an inherited name', {}, [['set', ['constructor', 'x'], 1]]],
    ['an index past the end', [1], [['set', [1], 1]]],
    ['an index in an object', { 0: 1 }, [['set', [0], 1]]],
    ['a name in an array', [1], [['set', ['length'], 0]]],
    ['an item of an array to delete', [1], [['del', [0]]]],
    ['the root to delete', 1, [['del', []]]],
    ['a splice past the end', [1], [['splice', [], 1, 1, []]]],
    ['a splice of a number', 1, [['splice', [], 0, 0, []]]],
    ['text into a list', [1], [['splice', [], 0, 0, 'a']]],
    ['items into a text', 'abc', [['splice', [], 0, 0, ['a']]]],
    ['a name in a Map', new Map([['a', 1]]), [['set', ['a'], 2]]],
    ['a position past the end of a Map', new Map([['a', 1]]), [['set', [1], 2]]],
    ['what is no entry into a Map', new Map([['a', 1]]), [['splice', [], 0, 0, [1]]]],
    ['a key twice into a Map', new Map([['a', 1]]), [['splice', [], 0, 0, [['a', 2]]]]],
    ['an item twice into a Set', new Set([1]), [['splice', [], 1, 0, [1]]]],
    ['a path into a Date', { a: new Date(0) }, [['set', ['a', 'b'], 1]]],
    ['bytes that leave half an item', new Int16Array(2), [['splice', [], 0, 1, '']]],
    ['what was nowhere', { a: [1] }, [['set', ['b'], { $: 'was', v: ['a', 1] }]]],
    ['what an object only inherits', { a: [1] }, [['set', ['b'], { $: 'was', v: ['constructor'] }]]],
    ['a run longer than its list', { a: [1] }, [['splice', ['a'], 0, 0, [{ $: 'run', v: ['a', 0, 1e9] }]]]],
  ])('refuses %s and leaves the base as it was', (_, base, delta) => {
    const before = encodeValue(base)
    expect(() => applyDelta({ base }, [['set', ['z'], 1], ...under('base', delta)])).toThrow(refused)
    expect(encodeValue(base)).toEqual(before)
    expect(() => applyDelta(base, delta)).toThrow(refused)
  })

  it('says where, what was expected and what was found', () => {
    const details = { path: ['a', 'b'], expected: 'something there', found: 'nothing' }
    expect(() => applyDelta({ a: {} }, [['del', ['a', 'b']]])).toThrow(expect.objectContaining({ details }))
  })

  it('puts a property named __proto__ without setting a prototype', () => {
    const next = applyDelta({}, [['set', ['__proto__'], { x: 1 }]]) as object
    expect(Object.getPrototypeOf(next)).toBe(Object.prototype)
    expect(JSON.stringify(next)).toBe('{"__proto__":{"x":1}}')
  })

  it('lets a key stand in a Map twice on the way', () => {
    const base = new Map([
      ['a', 1],
      ['b', 2],
    ])
    const delta: Delta = [
      ['splice', [], 0, 0, [['b', 3]]],
      ['set', [1], new Map() as never],
      ['splice', [], 2, 1, []],
    ]
    const next = applyDelta(base, [delta[0] as never, delta[2] as never])
    expect([...(next as Map<unknown, unknown>)]).toEqual([
      ['b', 3],
      ['a', 1],
    ])
  })

  it('refuses what moved too deep', () => {
    let base: Value = 'x'.repeat(99)
    for (let i = 0; i < 450; i++) base = [base]
    const path = Array.from({ length: 60 }, () => 'a')
    let place: Value = {}
    for (let i = 0; i < 59; i++) place = { a: place }
    const delta: Delta = [['set', path, { $: 'was', v: ['list'] }]]
    expect(() => applyDelta({ a: place, list: base }, delta)).toThrow(
      expect.objectContaining({ code: 'value_refused' }),
    )
  })

  it('refuses to build what nests too deep to be stored', () => {
    let base: Value = {}
    for (let i = 0; i < 499; i++) base = { a: base }
    const path = Array.from({ length: 499 }, () => 'a')
    expect(() => applyDelta(base, [['set', path, []]])).not.toThrow()
    expect(() => applyDelta(base, [['set', path, [[]]]])).toThrow(
      expect.objectContaining({ code: 'value_refused' }),
    )
  })
})

function under(name: string, delta: Delta): Delta {
  // The root of `delta` is at `name` now, so that deleting it would be in order: that case is left out.
  return delta.map(
    ([kind, path, ...rest]) =>
      [kind, path.length === 0 && kind === 'del' ? ['none'] : [name, ...path], ...rest] as never,
  )
}

describe('parseDelta()', () => {
  it('takes what diff() wrote', () => {
    const delta = diff({ a: [1, 2, 3], b: 'x'.repeat(99) }, { a: [3], b: 'x'.repeat(200) })
    expect(parseDelta(JSON.parse(JSON.stringify(delta)))).toEqual(delta)
  })

  it.each([
    ['no list', {}],
    ['an unknown change', [['add', [], 1]]],
    ['a path that is none', [['set', 'a', 1]]],
    ['a negative index', [['set', [-1], 1]]],
    ['a set without a value', [['set', []]]],
    ['deleting the root', [['del', []]]],
    ['half an index', [['splice', [], 0.5, 0, []]]],
    ['a splice of a number', [['splice', [], 0, 0, 1]]],
    ['one element too many', [['del', ['a'], 1]]],
  ])('refuses %s', (_, json) => {
    expect(() => parseDelta(json)).toThrow(refused)
  })
})
