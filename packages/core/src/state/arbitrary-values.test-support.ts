import fc from 'fast-check'
import { OpaqueValue } from './classes.ts'
import type { Value } from './codec.ts'
import { registerClass } from './register-class.ts'
import { bytesClasses, put } from './value.ts'

/** A class that changes in place and holds values of every kind. */
export class Pouch {
  readonly #label: string
  readonly things: unknown[]

  constructor(label: string, things: unknown[]) {
    this.#label = label
    this.things = things
  }

  get label(): string {
    return this.#label
  }
}
registerClass({
  name: 'Pouch',
  class: Pouch,
  encode: ({ label, things }) => ({ label, things }),
  decode: ({ label, things }) => new Pouch(label, things),
})

/** Names of properties, those that are a trap among them. */
export const names = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd', '$', '$$', '$v', '__proto__', 'constructor', 'length', '0', '7', '12'),
  fc.string({ unit: 'binary', maxLength: 4 }),
)

const texts = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.constantFrom('\ud800', 'a\udc00', '{"$":"date"}'),
  fc
    .tuple(fc.nat(3), fc.nat(90), fc.string({ maxLength: 2 }))
    .map(([a, n, z]) => `${a}${'x'.repeat(n)}${z}${'y'.repeat(40)}`),
)

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3 }),
  fc.tuple(fc.nat(3), fc.nat(60)).map(([a, n]) => new Uint8Array(100 + n).fill(7).fill(a, n, n + 3)),
)

/** Every class of bytes that this platform has, shown through a window of a larger buffer where there can be one. */
const views = fc.tuple(fc.constantFrom(...bytesClasses.keys()), bytes).map(([kind, bytes]): Value => {
  const made = bytesClasses.get(kind)
  const whole = new Uint8Array(8 + bytes.length * 8)
  for (let i = 0; i < bytes.length; i++) whole.set(bytes.subarray(i, i + 1), 8 + i * 8 + (i % 8))
  if (made === undefined || kind === 'arraybuffer') return whole.buffer
  const view = made as unknown as new (buffer: ArrayBuffer, offset: number) => DataView
  return new view(whole.buffer, 8)
})

const leaves: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom(null, undefined, true, false, 0, -0, NaN, Infinity, -Infinity),
  fc.integer({ min: 0, max: 9 }),
  fc.double(),
  fc.bigInt(),
  texts,
  fc.date({ noInvalidDate: false }),
  bytes,
  views,
  fc
    .tuple(fc.constantFrom('', 'a+', '[/]\n', '(?<n>.)'), fc.constantFrom('', 'g', 'dgimsuy'), fc.nat(2))
    .map(([source, flags, lastIndex]) => Object.assign(new RegExp(source, flags), { lastIndex })),
  fc.webUrl({ withQueryParameters: true, withFragments: true }).map((href): Value => new URL(href)),
)

const errors = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]

/** Values of every kind that a state can hold. */
export const { value: values } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaves,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.tuple(fc.array(tie('value'), { maxLength: 4 }), fc.nat(4)).map(withHole),
    fc.array(fc.tuple(names, tie('value')), { maxLength: 6 }).map(objectOf),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
    fc
      .tuple(fc.constantFrom(...errors), texts, fc.option(tie('value')), fc.option(tie('value')))
      .map(([made, message, cause, code]): Value => {
        const error = cause === null ? new made(message) : new made(message, { cause })
        return code === null ? error : Object.assign(error, { code, name: 'OwnName' })
      }),
    fc.array(tie('value'), { maxLength: 2 }).map((list): Value => new AggregateError(list)),
    fc.tuple(texts, fc.array(tie('value'), { maxLength: 2 })).map(pouchOf),
    tie('value').map((value) => new OpaqueValue('class', ['registered nowhere', value])),
  ),
}))

/** An object with these properties, also one named `__proto__`. */
export function objectOf(entries: readonly (readonly [string, Value])[]): Value {
  const out = {}
  for (const [key, value] of entries) put(out, key, value)
  return out
}

function pouchOf([label, things]: [string, Value[]]): Value {
  return new Pouch(label, things) as unknown as Value
}

function withHole([items, hole]: [Value[], number]): Value {
  const out = items.slice()
  if (hole >= out.length) out.length = hole + 1
  else Reflect.deleteProperty(out, hole)
  return out
}

/** Changes a value that is no plain object and no list, in the way its kind is changed in place. */
export function changeInPlace(leaf: unknown): void {
  if (leaf instanceof Date) leaf.setTime(5)
  else if (leaf instanceof Map) {
    for (const value of leaf.values()) changeInPlace(value)
    leaf.set('new', { n: 1 })
  } else if (leaf instanceof Set) leaf.add('new')
  else if (leaf instanceof RegExp) leaf.lastIndex += 3
  else if (leaf instanceof URL) leaf.searchParams.append('more', '1')
  else if (leaf instanceof Error) Object.assign(leaf, { message: 'changed', cause: [1], code: { n: 1 } })
  else if (leaf instanceof Pouch) leaf.things.push('new')
  else if (leaf instanceof ArrayBuffer) changeInPlace(new Uint8Array(leaf))
  else if (ArrayBuffer.isView(leaf) && leaf.byteLength > 0)
    new Uint8Array(leaf.buffer, leaf.byteOffset, leaf.byteLength)[leaf.byteLength - 1] = 3
}
