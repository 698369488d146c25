import { expect, it } from 'vitest'
import type { RunId } from '../ids.ts'
import { me } from '../log/log.test-support.ts'
import { sealEntry } from '../log/entry.ts'
import type { Head } from '../ports/log-store.ts'
import { RecentLines } from './recent-lines.ts'

const run = 'run' as RunId

/** A log of so many entries. */
function chain(count: number, by = 'somebody'): { readonly lines: Uint8Array[]; readonly heads: Head[] } {
  const lines: Uint8Array[] = []
  const heads: Head[] = []
  for (let seq = 0; seq < count; seq += 1) {
    const at = { run, seq, prev: heads.at(-1)?.digest ?? null, epoch: 0, term: 1, owner: me, time: 1 }
    const { line, entry } = sealEntry({ kind: 'interrupt', body: { id: String(seq), by } }, at)
    lines.push(line)
    heads.push({ seq, digest: entry.digest })
  }
  return { lines, heads }
}

const { lines, heads } = chain(8)
const at = (seq: number): Head => heads[seq] as Head

it('has the lines from any head to the last, when they are all there', () => {
  const recent = new RecentLines(10_000)
  recent.add(3, lines.slice(3, 5))
  recent.add(5, lines.slice(5, 8))
  expect(recent.between(run, at(2), at(7))).toEqual(lines.slice(3))
  expect(recent.between(run, at(5), at(7))).toEqual(lines.slice(6))
  for (const [base, head] of [
    [1, 7],
    [2, 6],
    [7, 7],
  ] as const)
    expect(recent.between(run, at(base), at(head))).toBeUndefined()
})

it('forgets what is not followed by what comes, and what somebody else has written over', () => {
  const recent = new RecentLines(10_000)
  recent.add(1, lines.slice(1, 3))
  recent.add(6, lines.slice(6, 8))
  expect(recent.between(run, at(0), at(7))).toBeUndefined()
  expect(recent.between(run, at(5), at(7))).toEqual(lines.slice(6))
  // Others of the same numbers, of which nobody has told.
  const other = chain(8, 'somebody else')
  expect(recent.between(run, other.heads[5] as Head, at(7))).toBeUndefined()
  expect(recent.between(run, at(5), other.heads[7] as Head)).toBeUndefined()
  recent.clear()
  expect(recent.between(run, at(5), at(7))).toBeUndefined()
})

it('keeps so many bytes, the newest', () => {
  const sizes = lines.map(({ byteLength }) => byteLength)
  const recent = new RecentLines(sizes.slice(5).reduce((sum, size) => sum + size, 10))
  for (const [seq, line] of lines.entries()) recent.add(seq, [line])
  expect(recent.between(run, at(4), at(7))).toEqual(lines.slice(5))
  expect(recent.between(run, at(3), at(7))).toBeUndefined()
})
