import { describe, expect, it, vi } from 'vitest'
import { isWaystoneError } from '../errors.ts'
import { cloneValue, decodeValue, encodeValue } from './codec.ts'
import { sameValue } from './equal.ts'
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

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(3)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  return bytes
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

  it('tags what JSON lacks of objects of the language and the platform', () => {
    const error = Object.assign(new RangeError('no', { cause: [1n] }), { code: 'E' })
    const several = new AggregateError([new Error('a')], 'b')
    const floats = Float32Array.of(1, -0)
    const value = {
      re: /a\/b/gi,
      url: new URL('HTTP://x.y/a b'),
      error,
      several,
      floats,
      big: BigInt64Array.of(1n),
    }
    const rest = {
      list: Object.assign([1], { 2: 3 }),
      buffer: floats.buffer.slice(4),
      view: new DataView(floats.buffer, 4, 2),
    }
    const encoded = {
      re: { $: 'regexp', v: ['a\\/b', 'gi'] },
      url: { $: 'url', v: 'http://x.y/a%20b' },
      error: {
        $: 'error',
        v: ['RangeError', { message: 'no', cause: [{ $: 'bigint', v: '1' }], code: 'E' }],
      },
      several: {
        $: 'error',
        v: ['AggregateError', { message: 'b', errors: [{ $: 'error', v: ['Error', { message: 'a' }] }] }],
      },
      floats: { $: 'float32', v: 'AACAPwAAAIA=' },
      big: { $: 'bigint64', v: 'AQAAAAAAAAA=' },
      list: [1, { $: 'hole' }, 3],
      buffer: { $: 'arraybuffer', v: 'AAAAgA==' },
      view: { $: 'dataview', v: 'AAA=' },
    }
    expect(encodeValue({ ...value, ...rest })).toEqual(encoded)
    expect(decodeValue(encoded)).toEqual({ ...value, ...rest })
  })

  it('keeps of an error no stack of the engine, and its properties as visible as they were', () => {
    const error = Object.assign(new TypeError('no', { cause: 1 }), { code: 'E' })
    const back = decodeValue(encodeValue(error)) as Error
    for (const restored of [back, cloneValue(error)]) {
      expect(restored).toBeInstanceOf(TypeError)
      expect(restored.stack).toBe('TypeError: no')
      expect(Object.keys(restored)).toEqual(['code'])
    }
    expect(Object.hasOwn(decodeValue(encodeValue(new Error())) as Error, 'message')).toBe(false)
    expect(Object.hasOwn(decodeValue(encodeValue(new AggregateError([]))) as Error, 'errors')).toBe(true)
  })

  it('keeps where a regular expression goes on', () => {
    const back = decodeValue(encodeValue(Object.assign(/a/g, { lastIndex: -0 }))) as RegExp
    expect(back.lastIndex).toBe(-0)
    expect(encodeValue(Object.assign(/a/y, { lastIndex: 7 }))).toEqual({ $: 'regexp', v: ['a', 'y', 7] })
  })

  it('keeps the part of a buffer that a view shows', () => {
    const whole = Uint16Array.of(1, 2, 3, 4)
    const back = decodeValue(encodeValue(whole.subarray(1, 3))) as Uint16Array
    expect(back).toEqual(Uint16Array.of(2, 3))
    expect(back.buffer.byteLength).toBe(4)
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
    ['too many holes', { list: Object.assign([1, 2, 3], { length: 4_000_000_000 }) }, 'state.list[100003]'],
    ['a property on an array', { list: Object.assign([1], { extra: 1 }) }, 'state.list.extra'],
    ['a property on a Date', { at: Object.assign(new Date(), { zone: 1 }) }, 'state.at'],
    ['a property on an error', new TypeError('no', { cause: { run: () => 1 } }), 'state.cause.run'],
    [
      'an accessor of an error',
      { e: Object.defineProperty(new Error('x'), 'cause', { get: () => 1 }) },
      'state.e.cause',
    ],
    ['an instance of a class that extends an error', { e: new (class extends Error {})() }, 'state.e'],
    ['what only claims to be an error', [Object.create(Error.prototype) as Error], 'state[0]'],
    ['a property on a regular expression', [Object.assign(/x/, { extra: 1 })], 'state[0]'],
    ['a lastIndex that is no number', [Object.assign(/x/, { lastIndex: 'x' })], 'state[0]'],
    ['a promise', { a: Promise.resolve(1) }, 'state.a'],
    ['a WeakMap', { a: new WeakMap() }, 'state.a'],
    ['a Proxy that throws', { a: revoked() }, 'state.a'],
    ['a property on an ArrayBuffer', { a: Object.assign(new ArrayBuffer(1), { x: 1 }) }, 'state.a'],
    ['a buffer that can grow', { a: new ArrayBuffer(1, { maxByteLength: 2 }) }, 'state.a'],
    ['bytes that were given away', { a: detached() }, 'state.a'],
    ['a view of shared memory', { a: new Int32Array(new SharedArrayBuffer(4)) }, 'state.a'],
    ['a SharedArrayBuffer', { a: new SharedArrayBuffer(1) }, 'state.a'],
    ['a value in a Map', { m: new Map([['k', Symbol()]]) }, 'state.m.get("k")'],
    ['a value in a Map under an object', { m: new Map([[{}, Symbol()]]) }, 'state.m.value(0)'],
    [
      'a key in a Map',
      {
        m: new Map<unknown, unknown>([
          [1, 1],
          [Symbol(), 1],
        ]),
      },
      'state.m.key(1)',
    ],
    ['an item in a Set', new Set([1, Symbol()]), 'state.item(1)'],
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
    expect(refusal(() => encodeValue({ a: Promise.resolve(1) })).message).toBe(
      'value.a is a Promise: await it first',
    )
    expect(refusal(() => encodeValue([new Point()])).message).toContain('a Point: register its class')
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
    ['an unknown tag', { $: 'symbol', v: 'x' }],
    ['a tag that is no text', { $: 1 }],
    ['a date in another form', { $: 'date', v: '2026-01-01' }],
    ['a date that is none', { $: 'date', v: 'soon' }],
    ['a bigint in another form', { $: 'bigint', v: '0x10' }],
    ['a number that JSON can hold', { $: 'number', v: '1' }],
    ['base64 in another form', { $: 'bytes', v: 'AQI' }],
    ['a tag with a further property', { $: 'bigint', v: '1', w: 1 }],
    ['a tag without its value', { $: 'bigint' }],
    ['a tag of a delta', { $: 'was', v: [] }],
    ['a URL in another form', { $: 'url', v: 'HTTPS://example.org' }],
    ['a URL that is none', { $: 'url', v: 'example' }],
    ['flags in another order', { $: 'regexp', v: ['x', 'ig'] }],
    ['a lastIndex that goes without saying', { $: 'regexp', v: ['x', 'g', 0] }],
    ['bytes that are no whole items', { $: 'float64', v: 'AQI=' }],
    ['an error of an unknown class', { $: 'error', v: ['Mistake', {}] }],
    ['an error with a stack', { $: 'error', v: ['Error', { stack: 'x' }] }],
    ['an error with a list for its parts', { $: 'error', v: ['Error', []] }],
    ['an instance without a name', { $: 'class', v: [1, {}] }],
    ['a map of something else than pairs', { $: 'map', v: [[1]] }],
    ['a set that holds an item twice', { $: 'set', v: [1, 1] }],
  ])('refuses %s, with its path', (_, json) => {
    expect(refusal(() => decodeValue({ a: [json] })).path).toMatch(/^value\.a\[0\]/)
  })

  it('refuses a hole that is in no list, and one with a property', () => {
    expect(refusal(() => decodeValue({ a: { $: 'hole' } })).path).toBe('value.a')
    expect(refusal(() => decodeValue([{ $: 'hole', v: 1 }])).path).toBe('value[0]')
  })

  it('keeps what this engine cannot make, and stores it again to the letter', () => {
    const json = [
      { $: 'regexp', v: ['(?<=later', 'g'] },
      { $: 'regexp', v: ['x', 'later', 3] },
    ]
    const value = decodeValue(json)
    expect(encodeValue(value)).toEqual(json)
    expect(sameValue(value, cloneValue(value))).toBe(true)
    expect(sameValue(value, decodeValue(json.toReversed()))).toBe(false)
  })

  it('keeps a URL where the platform has none', () => {
    const json = { $: 'url', v: 'https://example.org/' }
    vi.stubGlobal('URL', undefined)
    const value = decodeValue(json)
    vi.unstubAllGlobals()
    expect(value).not.toBeInstanceOf(URL)
    expect(encodeValue(value)).toEqual(json)
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
