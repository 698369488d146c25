import { limits, parseRunId, type Snapshots } from '@waystone/core'
import type { Case } from './case.ts'
import { expectBytes, expectEqual } from './expect.ts'

const run = parseRunId('run-1')
const other = parseRunId('run-10')

/** The contract of `Snapshots`. */
export const snapshotsCases: readonly Case<Snapshots>[] = [
  {
    name: 'list() of an unknown run is empty, get() undefined, remove() harmless',
    async run(subject) {
      const snapshots = await subject()
      expectEqual(await snapshots.list(run), [], 'the list')
      expectEqual(await snapshots.get(run, 0), undefined, 'a line')
      await snapshots.remove(run, [0, 1])
      await snapshots.remove(run, [])
    },
  },
  {
    name: 'list() gives sequence numbers oldest first, in whatever order they were put',
    async run(subject) {
      const snapshots = await subject()
      const seqs = [100, 2, 100_000_000, 10, 0, 9]
      for (const seq of seqs) await snapshots.put(run, seq, lineOf(seq))
      expectEqual(await snapshots.list(run), [0, 2, 9, 10, 100, 100_000_000], 'the list')
      for (const seq of seqs) await expectLine(snapshots, seq, lineOf(seq))
      expectEqual(await snapshots.get(run, 11), undefined, 'one that was never put')
    },
  },
  {
    name: 'put() keeps the largest line byte for byte, as it was when it was called',
    async run(subject) {
      const snapshots = await subject()
      const line = lineOf(1, limits.entryBytesMax)
      const whole = new Uint8Array(line.byteLength + 20)
      whole.set(line, 10)
      const putting = snapshots.put(run, 1, whole.subarray(10, 10 + line.byteLength))
      whole.fill(0)
      await putting
      const owned = await snapshots.get(run, 1)
      owned?.fill(0)
      await expectLine(snapshots, 1, line)
    },
  },
  {
    name: 'put() of a line that is there changes nothing; another line replaces it',
    async run(subject) {
      const snapshots = await subject()
      await Promise.all([snapshots.put(run, 5, lineOf(5)), snapshots.put(run, 5, lineOf(5))])
      await snapshots.put(run, 5, lineOf(5))
      expectEqual(await snapshots.list(run), [5], 'the list')
      await expectLine(snapshots, 5, lineOf(5))
      await snapshots.put(run, 5, lineOf(6))
      expectEqual(await snapshots.list(run), [5], 'the list')
      await expectLine(snapshots, 5, lineOf(6))
    },
  },
  {
    name: 'remove() forgets those that it names and no others',
    async run(subject) {
      const snapshots = await subject()
      for (const seq of [1, 2, 3, 12]) await snapshots.put(run, seq, lineOf(seq))
      await snapshots.remove(run, [1, 3, 77])
      expectEqual(await snapshots.list(run), [2, 12], 'the list')
      expectEqual(await snapshots.get(run, 3), undefined, 'a removed line')
      await snapshots.put(run, 3, lineOf(3))
      expectEqual(await snapshots.list(run), [2, 3, 12], 'the list')
    },
  },
  {
    name: 'snapshots of runs are apart',
    async run(subject) {
      const snapshots = await subject()
      await snapshots.put(run, 1, lineOf(1))
      await snapshots.put(other, 1, lineOf(2))
      await snapshots.put(other, 2, lineOf(2))
      await snapshots.remove(other, [1])
      expectEqual(await snapshots.list(run), [1], 'the list')
      expectEqual(await snapshots.list(other), [2], 'the list of the other')
      await expectLine(snapshots, 1, lineOf(1))
    },
  },
]

async function expectLine(snapshots: Snapshots, seq: number, line: Uint8Array): Promise<void> {
  const found = await snapshots.get(run, seq)
  expectBytes(found === undefined ? [] : [found], [line], `the line of ${String(seq)}`)
}

/** Bytes of which only this number gives the same. */
function lineOf(seq: number, bytes = 300): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => 32 + ((index * 7 + (index >> 5) + seq) % 90))
}
