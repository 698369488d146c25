import { headOfLine, limits, parseLine, RunLog, Snapshotter, type RunId } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import type { Case } from './case.ts'
import { expectBytes, expectEqual } from './expect.ts'
import { joined } from './log-fixtures.ts'
import {
  atLaptop,
  endAfter,
  expectRemote,
  laptop,
  last,
  mustPush,
  phone,
  pullAll,
  startOf,
  stepsAfter,
  type RemoteSubject,
} from './remote-fixtures.ts'

/** What an edge gives of a run. */
export const remotePullCases: readonly Case<RemoteSubject>[] = [
  {
    name: 'pull() of an unknown run is empty',
    async run(subject) {
      const { remote, run } = await atLaptop(subject)
      const nothing = { head: undefined, lines: [], inbox: [] }
      expectEqual(await remote.pull(run, 0, laptop), nothing, 'from the first entry on')
      expectEqual(await remote.pull(run, 7, laptop), nothing, 'from another entry on')
      expectEqual(await remote.pull(run, undefined, laptop), nothing, 'without a number')
    },
  },
  {
    name: 'pull() begins at any entry, without a number at the first, and is empty after the head',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const all = joined(start, stepsAfter(run, last(start), 3))
      await mustPush(remote, run, undefined, all)
      for (let from = 0; from <= all.lines.length; from += 1)
        expectBytes(await pullAll(remote, run, from), all.lines.slice(from), `from ${String(from)} on`)
      const { lines, head } = await remote.pull(run, undefined, phone)
      expectBytes(lines, all.lines, 'without a number')
      expectEqual(head, last(all), 'the head')
      expectEqual((await remote.pull(run, 100, phone)).head, last(all), 'the head of an empty page')
    },
  },
  {
    name: 'push() takes and pull() gives more than 1,000 entries and more than a page',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const many = stepsAfter(run, last(start), 1_000)
      const text = 'x'.repeat(limits.entryBytesMax - 1_000)
      const large = stepsAfter(run, last(many), Math.ceil(limits.pageBytesMax / text.length), {
        text,
        from: 1_000,
      })
      await mustPush(remote, run, undefined, joined(start, many))
      // The last entry of a page may go over its size.
      await mustPush(remote, run, last(many), large)
      await expectRemote(remote, run, joined(start, many, large))
      const { lines } = await remote.pull(run, 0, phone)
      expectEqual(lines.length < 1_001 + large.lines.length, true, 'whether the first page is not all')
    },
  },
  {
    name: 'pull() without a number gives what begins a log here: what comes after the entry that the newest snapshot is of',
    async run(subject) {
      const { edge, remote, blobs, run } = await atLaptop(subject)
      const written = await withSnapshot(run)
      for (const hash of written.hashes)
        await blobs.put(run, hash, (await written.blobs.get(run, hash)) ?? new Uint8Array())
      await mustPush(remote, run, undefined, written.log)
      const { lines } = await edge.edge(phone).remote.pull(run, undefined, phone)
      const { at } = written.log.fold.snapshots.at(-1) ?? { at: last(written.log) }
      expectBytes(lines, written.log.lines.slice(at.seq + 1), 'what was pulled')
      const here = memoryStorage()
      const ports = { ...here, blobs: { ...here.blobs, get: blobs.get.bind(blobs) }, now: () => 1 }
      const begun = await RunLog.open(run, ports)
      await begun.adopt(lines)
      expectEqual(begun.fold?.head, last(written.log), 'the head of the log that begins there')
      await expectRemote(remote, run, written.log)
    },
  },
]

/** A log of which there is a snapshot, and its blobs. */
async function withSnapshot(run: RunId) {
  const storage = memoryStorage()
  const start = startOf(run)
  const steps = stepsAfter(run, last(start), 3, { text: 'x'.repeat(limits.snapshotBytesMin / 2) })
  const log = await RunLog.open(run, { ...storage, now: () => 1 })
  // While a turn is open nothing begins between its records.
  const commit = endAfter(run, last(steps), { type: 'next' })
  await log.adopt([...start.lines, ...steps.lines, ...commit.lines])
  const errors: unknown[] = []
  const snapshotter = new Snapshotter(log, {
    ...storage,
    me: laptop,
    clock: { now: () => 1, task: () => Promise.resolve() },
    mayAppend: () => true,
    retention: () => undefined,
    synced: () => Infinity,
    failed: (error) => errors.push(error),
  })
  await snapshotter.settle()
  snapshotter.close()
  if (errors.length > 0) throw errors[0]
  const lines = await storage.store.read(run, 0)
  const hashes = lines.flatMap((line) => parseLine(line).blobs ?? [])
  return { log: { lines, heads: lines.map(headOfLine), fold: log.mustFold() }, hashes, blobs: storage.blobs }
}
