import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyAt, notesIn, oldestIn, withChanges, type KeyIndex } from './key-index.ts'
import type { KeyChange } from './bodies.ts'

const put = (key: string): KeyChange => ({ key, value: null })
const like = (key: string, of: string, seq: number): KeyChange => ({ key, delta: [], like: { key: of, seq } })
const gone = (key: string): KeyChange => ({ key, gone: true })

function after(index: KeyIndex, changes: readonly KeyChange[], seq: number): KeyIndex {
  const next = withChanges(index, changes, seq)
  if (next === undefined) throw new Error('a change was refused')
  return next
}

describe('the index of keyed records', () => {
  it('has what a Map has, in order, after any changes, and leaves the one before as it was', () => {
    const key = fc.string({ maxLength: 3 })
    const change = fc.oneof({ weight: 3, arbitrary: key.map(put) }, { weight: 1, arbitrary: key.map(gone) })
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { maxLength: 80 }), { maxLength: 12 }),
        fc.record({ from: key, to: fc.option(key, { nil: undefined }), reverse: fc.boolean() }),
        (batches, { from, to, reverse }) => {
          const model = new Map<string, number>()
          let index: KeyIndex = []
          for (const [seq, batch] of batches.entries()) {
            const before = JSON.stringify(index)
            const next = after(index, batch, seq)
            expect(JSON.stringify(index)).toBe(before)
            index = next
            for (const one of batch) {
              if ('gone' in one) model.delete(one.key)
              else model.set(one.key, seq)
            }
          }
          const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
          expect([...notesIn(index, {})]).toEqual(sorted)
          const inside = sorted.filter(([name]) => name >= from && (to === undefined || name < to))
          const range = to === undefined ? { from, reverse } : { from, to, reverse }
          expect([...notesIn(index, range)]).toEqual(reverse ? inside.reverse() : inside)
          for (const [name, seq] of sorted) expect(keyAt(index, name)?.[1]).toBe(seq)
          expect(oldestIn(index)).toBe(Math.min(Infinity, ...model.values()))
          expect(index.every((page) => page.length > 0)).toBe(true)
        },
      ),
    )
  })

  it('copies about the square root of its notes for a change', () => {
    let index: KeyIndex = []
    const total = 20_000
    const keys = Array.from({ length: total }, (_, at) => `key ${String(at * 7919).padStart(12, '0')}`)
    for (const [seq, key] of keys.entries()) index = after(index, [put(key)], seq)
    const next = after(index, [put('key 000000012345')], total)
    const copied = next.filter((page) => !index.includes(page)).flat().length
    expect(copied).toBeLessThan(4 * Math.sqrt(total))
    expect(next.length).toBeLessThan(4 * Math.sqrt(total))
  })

  it('knows how many values one is told by, and the first entry that it needs', () => {
    let index = after([], [put('a')], 5)
    index = after(index, [like('b', 'a', 5)], 6)
    index = after(index, [like('c', 'b', 6), put('a')], 7)
    expect([...notesIn(index, {})]).toEqual([
      ['a', 7],
      ['b', 6, 1, 5],
      ['c', 7, 2, 5],
    ])
    expect(oldestIn(index)).toBe(5)
  })

  it('takes a value like another only when that is the current one of before', () => {
    const index = after([], [put('a')], 1)
    expect(withChanges(index, [put('a'), like('b', 'a', 1)], 2)).toBeDefined()
    expect(withChanges(index, [like('b', 'a', 0)], 2)).toBeUndefined()
    expect(withChanges(index, [put('c'), like('b', 'c', 2)], 2)).toBeUndefined()
    expect(withChanges(after(index, [gone('a')], 2), [like('b', 'a', 1)], 3)).toBeUndefined()
  })
})
