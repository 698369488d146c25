import { WaystoneError } from '../errors.ts'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changeInPlace, names, objectOf, Pouch, values } from './arbitrary-values.test-support.ts'
import { cloneValue, decodeValue, encodeValue, type Value } from './codec.ts'
import { applyDelta, parseDelta } from './delta.ts'
import { diff } from './diff.ts'
import { createDraft } from './draft.ts'
import { sameValue } from './equal.ts'
import type { Json } from '../json.ts'
import { provenDiff } from './proven-diff.ts'
import { longestRise } from './rise.ts'

function throughJson(json: unknown): Json {
  return JSON.parse(JSON.stringify(json)) as Json
}

type Container = Record<PropertyKey, unknown> & unknown[]

/**
 * One mutation. The numbers choose among what is there, so that it means the same for a draft and a plain
 * value.
 */
interface Mutation {
  readonly name: string
  readonly at: readonly number[]
  readonly to: readonly number[]
  readonly pick: number
  readonly key: string
  readonly value: Value
}
const mutations: fc.Arbitrary<Mutation> = fc.record({
  name: fc.constantFrom(
    ...[
      'set',
      'set',
      'delete',
      'push',
      'pop',
      'shift',
      'unshift',
      'splice',
      'reverse',
      'sort',
      'length',
      'assign',
    ],
    ...['move', 'move', 'swap', 'copyWithin', 'fill', 'leaf', 'read', 'filter', 'define', 'fresh'],
  ),
  at: fc.array(fc.nat(7), { maxLength: 4 }),
  to: fc.array(fc.nat(7), { maxLength: 4 }),
  pick: fc.nat(9),
  key: names,
  value: values,
})

function isContainer(value: unknown): value is Container {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return Array.isArray(value)
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

function at(root: unknown, path: readonly number[]): Container {
  let place = root as Container
  for (const step of path) {
    const keys = Object.keys(place)
    const child = keys.length > 0 ? place[keys[step % keys.length] ?? ''] : undefined
    if (isContainer(child)) place = child
  }
  return place
}

function holds(value: unknown, wanted: unknown): boolean {
  if (value === wanted) return true
  if (value instanceof Map) return [...value].flat().some((item) => holds(item, wanted))
  if (value instanceof Set) return [...value].some((item) => holds(item, wanted))
  if (value instanceof Pouch) return holds(value.things, wanted)
  if (value instanceof Error) return holds(value.cause, wanted)
  return isContainer(value) && Object.keys(value).some((key) => holds(value[key], wanted))
}

/** Names in arrays and the setter of `__proto__` are left out: a draft refuses them by design. */
function mutate(root: unknown, { name, at: from, to, pick, key, value: given }: Mutation): void {
  const place = at(root, from)
  const value = cloneValue(given)
  const keys = Object.keys(place)
  const some = keys[pick % (keys.length || 1)]
  const isArray = Array.isArray(place)
  const assign = (target: Container, value: unknown): void => {
    if (Array.isArray(target as unknown)) target.push(value)
    else if (key === '__proto__') Object.defineProperty(target, key, { ...plain, value })
    else target[key] = value
  }
  if (name === 'set' && isArray) place[pick % (place.length + 1)] = value
  else if (name === 'set') assign(place, value)
  else if (name === 'delete' && isArray && some !== undefined) delete place[Number(some)]
  else if (name === 'delete' && !isArray && some !== undefined) delete place[some]
  else if (name === 'assign' && !isArray) Object.assign(place, { a: value, b: 1 })
  else if (name === 'define') Object.defineProperty(place, isArray ? 0 : key, { ...plain, value })
  else if (name === 'move' && some !== undefined) {
    const target = at(root, to)
    if (!holds(place[some], target)) assign(target, place[some])
  } else if (name === 'swap' && keys.length > 1) {
    const other = keys[(pick + 1) % keys.length] ?? ''
    ;[place[some ?? ''], place[other]] = [place[other], place[some ?? '']]
  } else if (name === 'leaf') keys.forEach((key) => changeInPlace(place[key]))
  else if (name === 'read') JSON.stringify(keys.filter((key) => typeof place[key] !== 'bigint').length)
  else if (name === 'fresh') assign(place, { list: [{}, { n: 1 }] })
  else if (isArray) mutateArray(place, name, pick, value)
}

/** Ends a draft that cannot end yet: it must be as it was, and as writable. */
function expectRefusal(draft: unknown, finish: () => unknown): void {
  const place = draft as Container
  const key = Array.isArray(draft) ? place.length : 'refused'
  place[key] = () => 0
  expect(finish).toThrow(WaystoneError)
  if (Array.isArray(draft)) draft.pop()
  else delete place[key]
}

const plain = { writable: true, enumerable: true, configurable: true }

function mutateArray(place: Container, name: string, pick: number, value: unknown): void {
  const byText = (item: unknown): string => (isContainer(item) ? Object.keys(item).join() : String(item))
  if (name === 'push') place.push(value, pick)
  else if (name === 'pop') place.pop()
  else if (name === 'shift') place.shift()
  else if (name === 'unshift') place.unshift(value, value)
  else if (name === 'splice') place.push(...place.splice(pick % 3, pick % 4, value, pick))
  else if (name === 'reverse') place.reverse()
  else if (name === 'sort') place.sort((a, b) => (byText(a) < byText(b) ? -1 : byText(a) > byText(b) ? 1 : 0))
  else if (name === 'length') place.length = pick
  else if (name === 'copyWithin') place.copyWithin(pick % 2, pick % 3)
  else if (name === 'fill') place.fill(value, pick)
  else if (name === 'filter') place.splice(0, place.length, ...place.filter((_, i) => i !== pick))
}

const runs = { numRuns: Number(process.env['FC_RUNS'] ?? 400) }
const states = fc.oneof(
  fc.array(values, { maxLength: 8 }),
  fc.dictionary(names, values).map((o) => objectOf(Object.entries(o))),
)
const programs = fc.tuple(states, fc.array(mutations, { maxLength: 12 }))

describe('values of every kind', () => {
  it('come back from their stored form as they were', () => {
    fc.assert(
      fc.property(values, (value) => {
        const back = decodeValue(throughJson(encodeValue(value)))
        expect(sameValue(back, value)).toBe(true)
        expect(isDeepStrictEqual(back, value)).toBe(true)
      }),
      runs,
    )
  })

  it('are cloned as they are stored', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(sameValue(cloneValue(value), decodeValue(encodeValue(value)))).toBe(true)
      }),
      runs,
    )
  })

  it('are the same exactly when their stored forms are the same text', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(sameValue(a, b)).toBe(JSON.stringify(encodeValue(a)) === JSON.stringify(encodeValue(b)))
      }),
      runs,
    )
  })
})

describe('a delta between any two values', () => {
  const check = (base: Value, next: Value): void => {
    const before = JSON.stringify(encodeValue(base))
    const delta = diff(base, next)
    expect(delta.length === 0).toBe(sameValue(base, next))
    expect(sameValue(applyDelta(base, parseDelta(throughJson(delta))), next)).toBe(true)
    // On trial it comes to the same here, and need not be the whole value.
    expect(provenDiff(base, next)).toEqual(delta)
    expect(JSON.stringify(encodeValue(base))).toBe(before)
  }

  it('makes the one into the other, property order included', () => {
    fc.assert(fc.property(values, values, check), runs)
  })

  it('is empty for a copy', () => {
    fc.assert(
      fc.property(values, (value) => check(value, cloneValue(value))),
      runs,
    )
  })

  it('makes texts longer than the blocks they are compared in into each other', () => {
    const pieces = fc.array(fc.tuple(fc.constantFrom('a', 'b', '\u{1f600}'), fc.nat(5000)), { maxLength: 5 })
    const long = pieces.map((list) => list.map(([unit, count]) => unit.repeat(count)).join(''))
    const edits = fc.tuple(long, fc.nat(9999), fc.nat(9999), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(edits, long, ([text, from, count, put], other) => {
        check(text, text.slice(0, from) + put + text.slice(from + count))
        check(text, other)
      }),
      runs,
    )
  })

  it('makes bytes with changed regions, and such of another length, into each other', () => {
    const changes = fc.array(fc.tuple(fc.nat(2000), fc.nat(80), fc.nat(2)), { maxLength: 9 })
    const bytesOf = (size: number, regions: readonly (readonly [number, number, number])[]): Uint8Array => {
      const bytes = new Uint8Array(size)
      for (const [from, count, byte] of regions) bytes.fill(byte, from, from + count)
      return bytes
    }
    const sizes = fc.constantFrom([2000, 2000], [2000, 1900], [64, 2000])
    fc.assert(
      fc.property(changes, changes, sizes, (a, b, [size = 0, other = 0]) => {
        check(bytesOf(size, a), bytesOf(other, b))
        check(new Uint16Array(bytesOf(size, a).buffer), new Uint16Array(bytesOf(other, b).buffer))
      }),
      runs,
    )
  })

  it('makes lists of the same items in another order, with gaps, into each other', () => {
    const pools = fc.array(values, { minLength: 1, maxLength: 8 })
    const picks = fc.array(fc.nat(7), { maxLength: 12 })
    fc.assert(
      fc.property(pools, picks, picks, (pool, a, b) => {
        check(
          a.map((i) => pool[i % pool.length]),
          b.map((i) => pool[i % pool.length]),
        )
      }),
      runs,
    )
  })

  it('makes Sets and Maps of equal members, which were elsewhere before, into each other', () => {
    const long = fc.string({ minLength: 64, maxLength: 80 })
    const heavy = fc.tuple(long, values).map(([text, value]) => ({ text, value }) as unknown as Value)
    const pools = fc.array(heavy, { minLength: 1, maxLength: 3 })
    const picks = fc.array(fc.nat(2), { maxLength: 6 })
    fc.assert(
      fc.property(pools, picks, picks, (pool, a, b) => {
        const members = (of: readonly number[]): Value[] =>
          of.map((i) => cloneValue(pool[i % pool.length]) as Value)
        const setOf = (of: readonly number[]): Value => new Set(members(of)) as unknown as Value
        const mapOf = (of: readonly number[]): Value =>
          new Map(members(of).map((key, i) => [key, i])) as unknown as Value
        check(members(a), setOf(b))
        check({ gone: members(a), set: setOf([]) } as unknown as Value, { set: setOf(b) } as unknown as Value)
        check({ gone: members(a), map: mapOf(a) } as unknown as Value, { map: mapOf(b) } as unknown as Value)
        check({ set: setOf(a) } as unknown as Value, { map: mapOf(b), set: setOf(b) } as unknown as Value)
      }),
      runs,
    )
  })

  it('makes objects of the same properties in another order into each other', () => {
    const entries = fc.array(fc.tuple(names, values), { maxLength: 8 })
    fc.assert(
      fc.property(entries, fc.func(fc.nat()), fc.nat(7), (entries, order, dropped) => {
        const moved = entries.toSorted(([a], [b]) => Number(order(a)) - Number(order(b)))
        check(objectOf(entries), objectOf(moved.toSpliced(dropped, 1)))
        check(objectOf(entries.toSpliced(dropped, 1)), objectOf(entries))
      }),
      runs,
    )
  })
})

describe('any program of mutations', () => {
  it('gives a draft the value that it gives a plain copy, and leaves the base alone', () => {
    fc.assert(
      fc.property(programs, ([base, program]) => {
        const before = cloneValue(base)
        const expected = cloneValue(base)
        const { draft, finish, current } = createDraft(base)
        for (const [index, mutation] of program.entries()) {
          mutate(expected, mutation)
          mutate(draft, mutation)
          if (index % 4 === 3) expectRefusal(draft, finish)
        }
        expect(sameValue(current(draft), expected)).toBe(true)
        const next = finish()
        expect(sameValue(next, expected)).toBe(true)
        expect(sameValue(base, before)).toBe(true)
        expect(sameValue(applyDelta(base, parseDelta(throughJson(diff(base, next)))), expected)).toBe(true)
      }),
      runs,
    )
  })

  it('shares no object that can change in place with the result', () => {
    fc.assert(
      fc.property(programs, ([base, program]) => {
        const { draft, finish } = createDraft(base)
        for (const mutation of program) mutate(draft, mutation)
        const outside = collect(draft)
        const inBase = collect(base)
        for (const inside of collect(finish())) expect(inBase.has(inside) || !outside.has(inside)).toBe(true)
      }),
      runs,
    )
  })
})

describe('longestRise()', () => {
  it('rises, and is as long as the longest that trying everything finds', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 9 }), (list) => {
        const rise = longestRise(list).toReversed()
        const picked = rise.map((i) => list[i] ?? -1)
        expect(rise.every((i, n) => n === 0 || i > (rise[n - 1] ?? 0))).toBe(true)
        expect(picked.every((value, n) => n === 0 || value > (picked[n - 1] ?? 0))).toBe(true)
        const best = (from: number, above: number): number =>
          list
            .slice(from)
            .reduce(
              (most, value, i) => (value > above ? Math.max(most, 1 + best(from + i + 1, value)) : most),
              0,
            )
        expect(rise.length).toBe(best(0, -1))
      }),
    )
  })
})

/** All objects that a value holds, itself included. */
function collect(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found
  found.add(value)
  if (value instanceof Map) [...value].flat().forEach((item) => collect(item, found))
  else if (value instanceof Set) [...value].forEach((item) => collect(item, found))
  else if (value instanceof Pouch) collect(value.things, found)
  else if (value instanceof Error) collect(value.cause, found)
  else if (ArrayBuffer.isView(value)) found.add(value.buffer)
  else if (isContainer(value)) Object.keys(value).forEach((key) => collect(value[key], found))
  return found
}
