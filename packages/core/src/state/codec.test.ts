import { describe, expect, it } from 'vitest'
import { isWaystoneError } from '../errors.ts'
import { cloneValue, decodeValue, encodeValue } from './codec.ts'
import type { Json } from '../json.ts'

function refusal(run: () => unknown): { path: unknown; message: string } {
  try {
    run()
  } catch (error) {
    if (!isWaystoneError(error, 'value_refused')) throw error
    return { path: (error.details as { path?: unknown }).path, message: error.message }
  }
  throw new Error('expected a refusal')
}

const refusedAt = (value: unknown): unknown => refusal(() => encodeValue(value, { where: 'state' })).path

class Point {
  readonly x = 1
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

describe('encodeValue()', () => {
  it('tags what JSON lacks and leaves the rest as it is', () => {
    const value = {
      at: new Date(0),
      n: 12n,
      none: undefined,
      list: [NaN, -0, 1],
      bytes: new Uint8Array([1, 2]),
    }
    expect(encodeValue({ ...value, map: new Map([['k', new Set([1])]]) })).toEqual({
      at: { $: 'date', v: '1970-01-01T00:00:00.000Z' },
      n: { $: 'bigint', v: '12' },
      none: { $: 'undefined' },
      list: [{ $: 'number', v: 'NaN' }, { $: 'number', v: '-0' }, 1],
      bytes: { $: 'bytes', v: 'AQI=' },
      map: { $: 'map', v: [['k', { $: 'set', v: [1] }]] },
    })
  })

  it('gives a real key of $ signs one more', () => {
    const value = { $: 'date', v: 1, $$: 2, $a: 3 }
    expect(encodeValue(value)).toEqual({ $$: 'date', v: 1, $$$: 2, $a: 3 })
    expect(decodeValue(encodeValue(value))).toEqual(value)
  })

  it('keeps an own property __proto__ and never sets a prototype', () => {
    const value: unknown = JSON.parse('{"__proto__":{"x":1},"y":2}')
    const back = decodeValue(JSON.parse(JSON.stringify(encodeValue(value))) as Json) as object
    for (const copy of [back, cloneValue(value) as object]) {
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
      expect(JSON.stringify(copy)).toBe('{"__proto__":{"x":1},"y":2}')
    }
  })

  it('takes objects without a prototype and makes plain ones of them', () => {
    const value = Object.assign(Object.create(null) as object, { a: 1 })
    expect(Object.getPrototypeOf(decodeValue(encodeValue(value)))).toBe(Object.prototype)
  })

  it('takes proxies that look like plain objects', () => {
    expect(encodeValue(new Proxy({ a: [1] }, {}))).toEqual({ a: [1] })
  })

  it('makes two values of an object that is met twice', () => {
    const shared = { n: 1 }
    const back = decodeValue(encodeValue([shared, shared])) as unknown[]
    expect(back[0]).toEqual(back[1])
    expect(back[0]).not.toBe(back[1])
  })

  it.each<[string, unknown, string]>([
    ['a function', { tools: [{ run: () => 1 }] }, 'state.tools[0].run'],
    ['a symbol', [Symbol('s')], 'state[0]'],
    ['a property named by a symbol', { a: { [Symbol('s')]: 1 } }, 'state.a[Symbol(s)]'],
    ['a class instance', { 'a b': new Point() }, 'state["a b"]'],
    ['an instance of a class that extends a kind kept', [new (class extends Map {})()], 'state[0]'],
    [
      'an accessor',
      {
        get when() {
          return 1
        },
      },
      'state.when',
    ],
    [
      'an accessor in an array',
      [Object.defineProperty([1], 0, { get: () => 1, enumerable: true })],
      'state[0][0]',
    ],
    ['a hidden property', Object.defineProperty({}, 'x', { value: 1 }), 'state.x'],
    ['a hole', { list: Object.assign([1, 2, 3], { length: 4 }) }, 'state.list[3]'],
    ['a property on an array', { list: Object.assign([1], { extra: 1 }) }, 'state.list.extra'],
    ['a property on a Date', { at: Object.assign(new Date(), { zone: 1 }) }, 'state.at'],
    ['a regular expression', { messages: [1, { when: /x/ }] }, 'state.messages[1].when'],
    ['an Error', new TypeError('no'), 'state'],
    ['a URL', { at: new URL('https://example.org') }, 'state.at'],
    ['a promise', { a: Promise.resolve(1) }, 'state.a'],
    ['another typed array', { a: new Float32Array(1) }, 'state.a'],
    ['an ArrayBuffer', { a: new ArrayBuffer(1) }, 'state.a'],
    ['a SharedArrayBuffer', { a: new SharedArrayBuffer(1) }, 'state.a'],
    ['a value in a Map', { m: new Map([['k', /x/]]) }, 'state.m.get("k")'],
    ['a value in a Map under an object', { m: new Map([[{}, /x/]]) }, 'state.m.value(0)'],
    [
      'a key in a Map',
      {
        m: new Map<unknown, unknown>([
          [1, 1],
          [/x/, 1],
        ]),
      },
      'state.m.key(1)',
    ],
    ['an item in a Set', new Set([1, /x/]), 'state.item(1)'],
    ['what only claims to be a Date', { at: Object.create(Date.prototype) as Date }, 'state.at'],
    ['501 levels', nested(501), `state${'[0]'.repeat(500)}`],
  ])('refuses %s, with its path', (_, value, path) => {
    expect(refusedAt(value)).toBe(path)
    expect(refusal(() => cloneValue(value, { where: 'state' })).path).toBe(path)
  })

  it('refuses cycles, also through a Map', () => {
    const list: unknown[] = []
    list.push({ list })
    expect(refusedAt(list)).toBe('state[0].list')
    const map = new Map<string, unknown>()
    map.set('self', { map })
    expect(refusedAt({ map })).toBe('state.map.get("self").map')
  })

  it('says what was found and what to do instead', () => {
    expect(refusal(() => encodeValue({ a: new URL('https://x.y') })).message).toBe(
      'value.a is a URL: keep its href',
    )
    expect(refusal(() => encodeValue([new Point()])).message).toContain('a Point: keep a plain object')
    expect(refusal(() => encodeValue([new Float64Array(1)])).message).toContain('keep its bytes')
  })

  it('takes 500 levels', () => {
    expect(decodeValue(encodeValue(nested(500)))).toEqual(nested(500))
  })

  it('keeps lone surrogates through JSON text', () => {
    const text = JSON.stringify(encodeValue('a\ud800b'))
    expect(text).toBe('"a\\ud800b"')
    expect(decodeValue(JSON.parse(text) as Json)).toBe('a\ud800b')
  })
})

describe('decodeValue()', () => {
  it.each<[string, Json]>([
    ['an unknown tag', { $: 'regexp', v: 'x' }],
    ['a tag that is no text', { $: 1 }],
    ['a date in another form', { $: 'date', v: '2026-01-01' }],
    ['a date that is none', { $: 'date', v: 'soon' }],
    ['a bigint in another form', { $: 'bigint', v: '0x10' }],
    ['a number that JSON can hold', { $: 'number', v: '1' }],
    ['base64 in another form', { $: 'bytes', v: 'AQI' }],
    ['a tag with a further property', { $: 'bigint', v: '1', w: 1 }],
    ['a tag without its value', { $: 'bigint' }],
    ['a map of something else than pairs', { $: 'map', v: [[1]] }],
    ['a set that holds an item twice', { $: 'set', v: [1, 1] }],
  ])('refuses %s, with its path', (_, json) => {
    expect(refusal(() => decodeValue({ a: [json] })).path).toMatch(/^value\.a\[0\]/)
  })

  it('refuses what nests too deep', () => {
    expect(refusal(() => decodeValue(nested(501) as Json)).message).toContain('500 levels')
  })

  it('shares nothing with what it read', () => {
    const json = { list: [{ n: 1 }] }
    const value = decodeValue(json) as typeof json
    expect(value).toEqual(json)
    expect(value.list).not.toBe(json.list)
  })
})
