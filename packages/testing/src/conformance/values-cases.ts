import {
  applyDelta,
  cloneValue,
  createDraft,
  decodeValue,
  diff,
  encodeValue,
  fromUtf8,
  parseDelta,
  registerClass,
  sameValue,
  utf8,
  type Json,
  type Value,
} from '@waystone/core'
import type { Case } from './case.ts'
import { expectEqual } from './expect.ts'

/** One kind of value: how it is stored, what a program sees of it, and how it is changed in place. */
interface KindOfValue<T> {
  readonly name: string
  readonly make: () => T
  /** The JSON text of its stored form: the same in every engine. */
  readonly stored: string
  /** What a program sees of it, as plain data: not by the functions under test. */
  readonly see: (value: T) => unknown
  /** Left out for kinds that cannot change in place. */
  readonly change?: (value: T) => void
}

interface Url {
  readonly href: string
  readonly searchParams: { append(name: string, value: string): void }
}
declare const URL: new (href: string) => Url

/** A class of an application. */
class Money {
  amount: bigint
  readonly currency: string

  constructor(amount: bigint, currency: string) {
    this.amount = amount
    this.currency = currency
  }
}

const kinds: readonly { of<R>(use: <T>(kind: KindOfValue<T>) => R): R }[] = [
  kind({
    name: 'an object with the names $ and __proto__',
    make: () => JSON.parse('{"$":1,"b":[null],"__proto__":{"x":1},"10":2}') as Record<string, unknown>,
    stored: '{"10":2,"$$":1,"b":[null],"__proto__":{"x":1}}',
    see: (value) => Object.entries(value),
    change: (value) => (value['c'] = { $: 'date' }),
  }),
  kind({
    name: 'an array with a hole',
    make: () => Object.assign([1], { 2: undefined }) as unknown[],
    stored: '[1,{"$":"hole"},{"$":"undefined"}]',
    see: (value) => [value.length, Object.keys(value)],
    change: (value) => {
      delete value[0]
      value.push('x')
    },
  }),
  kind({
    name: 'numbers that JSON lacks, and a bigint',
    make: () => [NaN, -0, Infinity, -Infinity, 5e-324, 2n ** 70n],
    stored:
      '[{"$":"number","v":"NaN"},{"$":"number","v":"-0"},{"$":"number","v":"Infinity"},{"$":"number","v":"-Infinity"},5e-324,{"$":"bigint","v":"1180591620717411303424"}]',
    see: (value) => value.map((item) => (Object.is(item, -0) ? '-0' : String(item))),
    change: (value) => (value[1] = 0),
  }),
  kind({
    name: 'texts with control characters, half a surrogate pair and a byte order mark',
    make: () => ['\u0000\n"\\', 'ä 語 🜚', '\ud800', '\ufeff\u2028'],
    stored: '["\\u0000\\n\\"\\\\","ä 語 🜚","\\ud800","\ufeff\u2028"]',
    see: (value) => value,
    change: (value) => value.push('🜚'),
  }),
  kind({
    name: 'a Date',
    make: () => new Date(1.8e12),
    stored: '{"$":"date","v":"2027-01-15T08:00:00.000Z"}',
    see: (value) => value.getTime(),
    change: (value) => value.setUTCMonth(7),
  }),
  kind({
    name: 'a Date that is none',
    make: () => new Date(NaN),
    stored: '{"$":"date","v":null}',
    see: (value) => String(value.getTime()),
    change: (value) => value.setTime(0),
  }),
  kind({
    name: 'a Map with keys of every kind',
    make: () =>
      new Map<unknown, unknown>([
        ['a', { n: 1 }],
        [{ k: 1 }, [1]],
        [NaN, -0],
      ]),
    stored:
      '{"$":"map","v":[["a",{"n":1}],[{"k":1},[1]],[{"$":"number","v":"NaN"},{"$":"number","v":"-0"}]]}',
    see: (value) => [...value].map(([key, item]) => [String(key), Object.is(item, -0) ? '-0' : item]),
    change: (value) => {
      const first = value.get('a') as { n: number }
      first.n = 2
      value.delete(NaN)
      value.set('new', 1)
    },
  }),
  kind({
    name: 'a Set of objects',
    make: () => new Set<unknown>([{ n: 1 }, 'a', new Set([1])]),
    stored: '{"$":"set","v":[{"n":1},"a",{"$":"set","v":[1]}]}',
    see: (value) => [...value].map((item) => (item instanceof Set ? [...item] : item)),
    change: (value) => {
      for (const item of value) if (item instanceof Set) item.add(2)
      value.delete('a')
    },
  }),
  kind({
    name: 'a RegExp in the middle of its work',
    make: () => Object.assign(/a\/(?<n>.)/gsu, { lastIndex: 2 }),
    stored: '{"$":"regexp","v":["a\\\\/(?<n>.)","gsu",2]}',
    see: (value) => [value instanceof RegExp, value.source, value.flags, value.lastIndex],
    change: (value) => (value.lastIndex = 3),
  }),
  kind({
    name: 'a URL',
    make: () => new URL('https://me:x@example.org:8443/a b?q=ä#f'),
    stored: '{"$":"url","v":"https://me:x@example.org:8443/a%20b?q=%C3%A4#f"}',
    see: (value) => [value.href, value instanceof URL],
    change: (value) => value.searchParams.append('more', '1'),
  }),
  kind({
    name: 'an Error with a cause, a code and a name of its own',
    make: () =>
      Object.assign(new TypeError('no', { cause: new Error('why', { cause: [1n] }) }), {
        name: 'Mine',
        code: 5,
      }),
    stored:
      '{"$":"error","v":["TypeError",{"message":"no","cause":{"$":"error","v":["Error",{"message":"why","cause":[{"$":"bigint","v":"1"}]}]},"name":"Mine","code":5}]}',
    see: (value) => [
      value instanceof TypeError,
      Object.keys(value),
      value.name,
      value.message,
      String((value.cause as Error).cause),
    ],
    change: (value) => {
      value.message = 'changed'
      value.code = 6
    },
  }),
  kind({
    name: 'an AggregateError',
    make: () => new AggregateError([new RangeError('a'), 1], 'several'),
    stored:
      '{"$":"error","v":["AggregateError",{"message":"several","errors":[{"$":"error","v":["RangeError",{"message":"a"}]},1]}]}',
    see: (value) => [value instanceof AggregateError, value.message, value.errors.map(String)],
    change: (value) => value.errors.push(2),
  }),
  kind({
    name: 'an ArrayBuffer',
    make: () => Uint8Array.of(1, 2, 3).buffer,
    stored: '{"$":"arraybuffer","v":"AQID"}',
    see: (value) => [...new Uint8Array(value)],
    change: (value) => (new Uint8Array(value)[1] = 9),
  }),
  kind({
    name: 'a DataView of a part of a buffer',
    make: () => new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2),
    stored: '{"$":"dataview","v":"AgM="}',
    see: (value) => [value.getUint16(0), value.byteLength],
    change: (value) => value.setInt16(0, -1),
  }),
  view('Uint8Array', 'bytes', [1, 255], 'Af8='),
  view('Uint8ClampedArray', 'uint8clamped', [1, 255], 'Af8='),
  view('Int8Array', 'int8', [1, -1], 'Af8='),
  view('Int16Array', 'int16', [1, -2], 'AQD+/w=='),
  view('Uint16Array', 'uint16', [1, 65_535], 'AQD//w=='),
  view('Int32Array', 'int32', [1, -2], 'AQAAAP7///8='),
  view('Uint32Array', 'uint32', [1, 4_294_967_295], 'AQAAAP////8='),
  view('Float32Array', 'float32', [1.5, -0], 'AADAPwAAAIA='),
  view('Float64Array', 'float64', [Math.PI, Infinity], 'GC1EVPshCUAAAAAAAADwfw=='),
  view('BigInt64Array', 'bigint64', [1n, -1n], 'AQAAAAAAAAD//////////w=='),
  view('BigUint64Array', 'biguint64', [1n, 2n ** 63n], 'AQAAAAAAAAAAAAAAAAAAgA=='),
  kind({
    name: 'an instance of a registered class',
    make: () => new Money(5n, 'EUR'),
    stored: '{"$":"class","v":["conformance/Money",{"amount":{"$":"bigint","v":"5"},"currency":"EUR"}]}',
    see: (value) => [value instanceof Money, String(value.amount), value.currency],
    change: (value) => (value.amount += 1n),
  }),
  kind({
    name: 'an instance of a class that is not registered here',
    make: () => decodeValue(JSON.parse(unregistered) as Json),
    stored: '{"$":"class","v":["conformance/Elsewhere",{"at":{"$":"date","v":null}}]}',
    see: (value) => JSON.stringify(encodeValue(value)),
  }),
]
const unregistered = '{"$":"class","v":["conformance/Elsewhere",{"at":{"$":"date","v":null}}]}'

/** What is kept of values of every kind, wherever they are restored; the cases need no storage. */
export const valuesCases: readonly Case<undefined>[] = kinds.flatMap((one) => one.of(casesOf))

function casesOf<T>({ name, make, stored, see, change }: KindOfValue<T>): readonly Case<undefined>[] {
  const came: Case<undefined> = {
    name: `${name} comes back as it was`,
    async run() {
      register()
      const value = make()
      const text = fromUtf8(utf8(JSON.stringify(encodeValue(value))))
      expectEqual(text, stored, 'the stored form')
      for (const back of [decodeValue(JSON.parse(text) as Json), cloneValue(value)]) {
        expectEqual(see(back as T), see(value), 'what a program sees')
        expectEqual(sameValue(back, value), true, 'that both are the same')
      }
    },
  }
  if (change === undefined) return [came]
  const changed: Case<undefined> = {
    name: `${name} changes in a draft, and in its delta`,
    async run() {
      register()
      const base = { value: make(), list: [{ deep: make() }], untouched: make() }
      const { draft, finish } = createDraft(base)
      change(draft.value)
      for (const item of draft.list) change(item.deep)
      // What the program did to its own value, the draft must show.
      const expected = make()
      change(expected)
      const next = finish()
      expectEqual(see(next.value), see(expected), 'the changed value')
      expectEqual(see((next.list[0] as { deep: T }).deep), see(expected), 'the changed value deep inside')
      expectEqual(see(base.value), see(make()), 'the base')
      expectEqual(next.untouched === base.untouched, true, 'that what was not touched is shared')
      const delta = JSON.stringify(diff(base as unknown as Value, next as unknown as Value))
      const back = applyDelta(
        base as unknown as Value,
        parseDelta(JSON.parse(delta)),
      ) as unknown as typeof base
      expectEqual(see(back.value), see(expected), 'the value that the delta makes')
      expectEqual(sameValue(back, next), true, 'that the delta makes the same')
    },
  }
  return [came, changed]
}

function kind<T>(one: KindOfValue<T>): { of<R>(use: <U>(kind: KindOfValue<U>) => R): R } {
  return { of: (use) => use(one) }
}

type View = Record<number, number | bigint> & { readonly length: number }

function view(name: string, tag: string, items: readonly (number | bigint)[], base64: string) {
  const { [name]: made } = globalThis as unknown as Record<string, { of(...items: unknown[]): View }>
  return kind({
    name: `a ${name}`,
    make: () => made?.of(...items) ?? {},
    stored: `{"$":"${tag}","v":"${base64}"}`,
    see: (value) => [
      value.constructor.name,
      ...Array.from(value as View, (item) => (Object.is(item, -0) ? '-0' : String(item))),
    ],
    change: (value: View | object) => ((value as View)[0] = (value as View)[1] as number),
  })
}

/** Not when the module is loaded, which runs nothing. */
function register(): void {
  registerClass({
    name: 'conformance/Money',
    class: Money,
    encode: ({ amount, currency }) => ({ amount, currency }),
    decode: ({ amount, currency }) => new Money(amount, currency),
  })
}
