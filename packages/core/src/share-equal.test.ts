import { expect, it } from 'vitest'
import { shareEqual } from './share-equal.ts'

it('what is equal is the same object, in whatever has changed beside it', () => {
  const before = { calls: [{ path: 'a', waits: { for: 'time', due: 5 } }, { path: 'b' }], phase: 'running' }
  expect(shareEqual(before, structuredClone(before))).toBe(before)
  const after = shareEqual(before, { ...structuredClone(before), phase: 'waiting' })
  expect(after).toEqual({ ...before, phase: 'waiting' })
  expect(after.calls).toBe(before.calls)
  const more = shareEqual(before, { ...before, calls: [...structuredClone(before.calls), { path: 'c' }] })
  expect(more.calls).toHaveLength(3)
  expect(more.calls[0]).toBe(before.calls[0])
})

it('what differs in a key, a length, a kind or an order is not taken for the same', () => {
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [{ a: undefined }, { b: undefined }],
    [{ a: 1 }, { a: 1, b: undefined }],
    [{ a: 1, b: undefined }, { a: 1 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 1]],
    [[], {}],
    [[1], [1, ...new Array<number>(1)]],
    [{}, JSON.parse('{"__proto__": {}}')],
    [{}, null],
    [{ at: new Date(1) }, { at: new Date(2) }],
    [new Map([[1, 2]]), new Map()],
    [NaN, 0],
    [0, -0],
  ]
  for (const [before, after] of pairs) {
    const shared = shareEqual(before, after)
    expect(shared).toEqual(after)
    expect(shared).not.toBe(before)
  }
})
