import { limits, parseRunId } from '@waystone/core'
import type { Case } from './case.ts'
import { expectBytes, expectEqual } from './expect.ts'
import {
  appendBy,
  appendOf,
  chain,
  expectAside,
  expectLog,
  expectMoved,
  firstOf,
  firstSeq,
  joined,
  mustAppend,
  readAll,
  reason,
  restOf,
  run,
  summary,
  type LogSubject,
} from './log-fixtures.ts'

/** How a log lets entries go. */
export const logCompactCases: readonly Case<LogSubject>[] = [
  {
    name: 'compact() lets go of entries that nobody needs; the others stay as they were',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 1_200, lineBytes: 2_000 })
      await appendBy(store, all, 3)
      await store.append(run, appendOf(all.heads.at(-1), [], { summary: summary(run) }))
      await store.compact(run, { forget: 1_100, cold: 0 })
      const first = await firstSeq(store)
      expectEqual(first > 0 && first <= 1_100, true, `that the log begins at ${String(first)}`)
      const more = all.lines.slice(first, 1_100).reduce((sum, line) => sum + line.byteLength, 0)
      expectEqual(more <= limits.pageBytesMax, true, 'that it keeps few entries more than it must')
      await expectLog(store, restOf(all, first))
      for (const from of [1, first - 1, first, first + 1, 1_100, 1_101, 1_199, 1_200]) {
        const lines = all.lines.slice(Math.max(first, from))
        expectBytes(await readAll(store, run, from), lines, `the lines from ${String(from)} on`)
      }
      expectEqual(await store.list(), [summary(run)], 'the list')
    },
  },
  {
    name: 'compact() never lets go of the head, and is harmless to a run that is not there',
    async run(subject) {
      const { store } = await subject()
      await store.compact(run, { forget: 10, cold: 10 })
      expectEqual(await store.head(run), undefined, 'the head of an unknown run')
      const all = chain({ count: 60, lineBytes: 30_000 })
      await appendBy(store, firstOf(all, 50), 1)
      await store.compact(run, { forget: 1_000_000, cold: 1_000_000 })
      await expectLog(store, restOf(firstOf(all, 50), await firstSeq(store)))
      await mustAppend(store, appendOf(all.heads[49], all.lines.slice(50)), all.heads[59])
      await expectLog(store, restOf(all, await firstSeq(store)))
    },
  },
  {
    name: 'append() at a base that was let go is refused, and keeps nothing',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 80, lineBytes: 30_000 })
      const other = chain({ count: 2, after: all.heads[5], text: 'other' })
      await appendBy(store, all, 1)
      await store.compact(run, { forget: 70, cold: 0 })
      const head = all.heads.at(-1)
      await expectMoved(
        store,
        appendOf(all.heads[5], all.lines.slice(6, 8)),
        head,
        'entries that were let go',
      )
      await expectMoved(store, appendOf(all.heads[5], other.lines), head, 'other entries after them')
      const aside = appendOf(all.heads[5], other.lines, { setAside: { reason, time: 7 } })
      await expectMoved(store, aside, head, 'other entries instead of all that is kept')
      await expectMoved(store, appendOf(undefined, all.lines.slice(0, 9)), head, 'the first entries again')
      await expectLog(store, restOf(all, await firstSeq(store)))
      await expectAside(tails, [])
    },
  },
  {
    name: 'append() goes on after entries were let go: at the head, again, in part, with a tail set aside',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 90, lineBytes: 30_000 })
      await appendBy(store, firstOf(all, 80), 1)
      await store.compact(run, { forget: 60, cold: 0 })
      const first = await firstSeq(store)
      await mustAppend(store, appendOf(all.heads[79], all.lines.slice(80, 85)), all.heads[84])
      await mustAppend(store, appendOf(all.heads[79], all.lines.slice(80, 85)), all.heads[84])
      await mustAppend(store, appendOf(all.heads[first], all.lines.slice(first + 1, 70)), all.heads[84])
      await mustAppend(store, appendOf(all.heads[first - 1], all.lines.slice(first, 70)), all.heads[84])
      await mustAppend(store, appendOf(all.heads[75], all.lines.slice(76)), all.heads[89])
      await expectLog(store, restOf(all, first))
      const other = chain({ count: 2, after: all.heads[65], text: 'other' })
      await mustAppend(
        store,
        appendOf(all.heads[65], other.lines, { setAside: { reason, time: 7 } }),
        other.heads[1],
      )
      await expectLog(store, restOf(joined(firstOf(all, 66), other), first))
      await expectAside(tails, [{ time: 7, lines: all.lines.slice(66) }])
    },
  },
  {
    name: 'compact() again lets go of more, and of nothing when there is less to forget',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 200, lineBytes: 20_000 })
      await appendBy(store, all, 2)
      await store.compact(run, { forget: 80, cold: 0 })
      const first = await firstSeq(store)
      await store.compact(run, { forget: 80, cold: 0 })
      await store.compact(run, { forget: 20, cold: 0 })
      await expectLog(store, restOf(all, first))
      await store.compact(run, { forget: 180, cold: 0 })
      const later = await firstSeq(store)
      expectEqual(later > first && later <= 180, true, `that the log begins at ${String(later)}`)
      await expectLog(store, restOf(all, later))
    },
  },
  {
    name: 'compact() of a log with another end is false, and lets go of nothing',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 80, lineBytes: 30_000 })
      const other = chain({ count: 2, after: all.heads[50], text: 'other' })
      await appendBy(store, all, 1)
      const aside = appendOf(all.heads[50], other.lines, { setAside: { reason, time: 7 } })
      await mustAppend(store, aside, other.heads[1])
      const whole = joined(firstOf(all, 51), other)
      for (const head of [all.heads[79], all.heads[52], all.heads[20]]) {
        const compacted = await store.compact(run, { forget: 45, cold: 0, ...(head ? { head } : {}) })
        expectEqual(compacted, false, 'that it was done')
        await expectLog(store, whole)
      }
      const [, head] = other.heads
      expectEqual(
        await store.compact(run, { forget: 45, cold: 0, ...(head ? { head } : {}) }),
        true,
        'that it was done',
      )
      await expectLog(store, restOf(whole, await firstSeq(store)))
    },
  },
  {
    name: 'compact() touches one run only, also when the id of another begins like it',
    async run(subject) {
      const { store } = await subject()
      const ids = ['a', 'aa', 'a.', '0'].map(parseRunId)
      const logs = ids.map((id) => chain({ run: id, count: 60, lineBytes: 30_000, text: id }))
      for (const [index, log] of logs.entries()) await appendBy(store, log, 1, ids[index])
      await store.compact(ids[0] ?? run, { forget: 50, cold: 55 })
      for (const [index, log] of logs.entries()) {
        const first = await firstSeq(store, ids[index])
        expectEqual(first === 0, index > 0, `that run ${String(ids[index])} is whole`)
        await expectLog(store, restOf(log, first), ids[index])
      }
    },
  },
  {
    name: 'compact() beside appends that nobody awaited loses none of them',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 300, lineBytes: 6_000 })
      const work: Promise<unknown>[] = []
      const appends = all.lines.map((line, seq) => {
        if (seq % 40 === 39) work.push(store.compact(run, { forget: seq - 60, cold: seq - 20 }))
        return store.append(run, appendOf(all.heads[seq - 1], [line]))
      })
      const answers = await Promise.all(appends)
      expectEqual(
        answers.map(({ head }) => head),
        all.heads,
        'the heads of the answers',
      )
      await Promise.all(work)
      const first = await firstSeq(store)
      expectEqual(first <= 299 - 60, true, `that the log begins at ${String(first)}`)
      await expectLog(store, restOf(all, first))
    },
  },
  {
    name: 'compact() beside an append that sets a tail aside leaves a whole log, whichever comes first',
    async run(subject) {
      for (const compactsFirst of [true, false]) {
        const { store, tails } = await subject()
        const all = chain({ count: 100, lineBytes: 10_000 })
        const other = chain({ count: 3, after: all.heads[40], text: 'other' })
        await appendBy(store, all, 1)
        const aside = appendOf(all.heads[40], other.lines, { setAside: { reason, time: 7 } })
        const compact = (): Promise<boolean> => store.compact(run, { forget: 90, cold: 95 })
        const early = compactsFirst ? compact() : undefined
        const appending = store.append(run, aside)
        await (early ?? compact())
        const { ok } = await appending
        await expectLog(store, restOf(ok ? joined(firstOf(all, 41), other) : all, await firstSeq(store)))
        await expectAside(tails, ok ? [{ time: 7, lines: all.lines.slice(41) }] : [])
      }
    },
  },
]
