import { limits, parseRunId, type RunSummary } from '@waystone/core'
import type { Case } from './case.ts'
import { expectBytes, expectCode, expectEqual } from './expect.ts'
import {
  appendOf,
  chain,
  expectLog,
  mustAppend,
  readAll,
  run,
  summary,
  type LogSubject,
} from './log-fixtures.ts'

const entriesMany = 1_001

/** What a store tells of its logs. */
export const logReadCases: readonly Case<LogSubject>[] = [
  {
    name: 'head() and read() of an unknown run are empty',
    async run(subject) {
      const { store, tails } = await subject()
      expectEqual(await store.head(run), undefined, 'the head')
      expectBytes(await store.read(run, 0), [], 'the lines')
      expectEqual(await tails.list(run), [], 'what was set aside')
      expectEqual(await store.list(), [], 'the list')
    },
  },
  {
    name: 'read() begins at any line, inside of an append too, and is empty after the head',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 9 })
      await mustAppend(store, appendOf(undefined, all.lines.slice(0, 5)), all.heads[4])
      await mustAppend(store, appendOf(all.heads[4], all.lines.slice(5)), all.heads[8])
      for (let from = 0; from <= 9; from += 1) {
        expectBytes(await store.read(run, from), all.lines.slice(from), `the lines from ${String(from)} on`)
      }
      expectBytes(await store.read(run, 100), [], 'the lines far after the head')
    },
  },
  {
    name: 'read() pages over 1,001 entries that came one by one',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: entriesMany, lineBytes: 2_000 })
      await Promise.all(all.lines.map((line, seq) => store.append(run, appendOf(all.heads[seq - 1], [line]))))
      await expectLog(store, all)
      expectBytes(await readAll(store, run, 700), all.lines.slice(700), 'the log from line 700 on')
    },
  },
  {
    name: 'read() pages over 1,001 entries that came at once',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: entriesMany })
      await mustAppend(store, appendOf(undefined, all.lines), all.heads.at(-1))
      await expectLog(store, all)
    },
  },
  {
    name: 'runs are kept apart, also when the id of one begins with the id of another',
    async run(subject) {
      const { store } = await subject()
      const ids = ['a', 'aa', 'a-', 'a.b', 'A', 'a~', '0'].map(parseRunId)
      const chains = ids.map((id, index) => chain({ run: id, count: index + 1, text: id }))
      await Promise.all(
        chains.map(async ({ lines, heads }, index) => {
          await mustAppend(store, appendOf(undefined, lines), heads.at(-1), ids[index])
        }),
      )
      for (const [index, one] of chains.entries()) await expectLog(store, one, ids[index])
    },
  },
  {
    name: 'list() gives the newest summary of each run, in order of ids',
    async run(subject) {
      const { store } = await subject()
      const ids = ['b', 'a', 'B', 'a1', '~'].map(parseRunId)
      for (const id of ids) {
        const { lines, heads } = chain({ run: id, count: 2 })
        await mustAppend(
          store,
          appendOf(undefined, lines.slice(0, 1), { summary: summary(id) }),
          heads[0],
          id,
        )
        await mustAppend(store, appendOf(heads[0], lines.slice(1), { summary: summary(id, 2) }), heads[1], id)
      }
      const silent = parseRunId('silent')
      const { lines, heads } = chain({ run: silent, count: 1 })
      await mustAppend(store, appendOf(undefined, lines), heads[0], silent)
      const sorted = ['B', 'a', 'a1', 'b', '~'].map((id) => summary(parseRunId(id), 2))
      expectEqual(await store.list(), sorted, 'the list')
      expectEqual(await store.list(parseRunId('a')), sorted.slice(2), 'the list after a run')
      expectEqual(
        await store.list(parseRunId('a0')),
        sorted.slice(2),
        'the list after an id between two runs',
      )
      expectEqual(await store.list(parseRunId('~')), [], 'the list after the last run')
    },
  },
  {
    name: 'list() keeps the summary of an append that was refused out',
    async run(subject) {
      const { store } = await subject()
      const kept = chain({ count: 1 })
      const other = chain({ count: 1, text: 'other' })
      await mustAppend(store, appendOf(undefined, kept.lines, { summary: summary(run) }), kept.heads[0])
      await store.append(run, appendOf(undefined, other.lines, { summary: summary(run, 2) }))
      expectEqual(await store.list(), [summary(run)], 'the list')
    },
  },
  {
    name: 'append() without lines changes the summary',
    async run(subject) {
      const { store } = await subject()
      const kept = chain({ count: 1 })
      await mustAppend(store, appendOf(undefined, kept.lines, { summary: summary(run) }), kept.heads[0])
      await mustAppend(store, appendOf(kept.heads[0], [], { summary: summary(run, 2) }), kept.heads[0])
      expectEqual(await store.list(), [summary(run, 2)], 'the list')
    },
  },
  {
    name: 'list() pages',
    async run(subject) {
      const { store } = await subject()
      const ids = Array.from({ length: limits.listRunsMax + 1 }, (_, index) =>
        parseRunId(`run-${String(1_000 + index)}`),
      )
      await Promise.all(
        ids.map((id) =>
          store.append(id, appendOf(undefined, chain({ run: id, count: 1 }).lines, { summary: summary(id) })),
        ),
      )
      const first = await store.list()
      expectEqual(first.length, limits.listRunsMax, 'the runs on the first page')
      const rest: readonly RunSummary[] = await store.list(first.at(-1)?.run)
      expectEqual(
        [...first, ...rest].map((one) => one.run),
        ids,
        'the runs on both pages',
      )
    },
  },
  {
    name: 'close() waits for appends under way; afterwards everything rejects with `closed`',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 3 })
      const settled: string[] = []
      const appending = all.lines.map(async (line, seq) => {
        const { ok } = await store.append(run, appendOf(all.heads[seq - 1], [line]))
        settled.push(ok ? 'stored' : 'refused')
      })
      await store.close()
      // What hangs on a settled promise by other promises settles in a few microtasks; storing takes tasks.
      for (let microtasks = 0; microtasks < 50; microtasks += 1) await undefined
      expectEqual(settled, ['stored', 'stored', 'stored'], 'the appends under way')
      await Promise.all(appending)
      await expectCode(store.append(run, appendOf(all.heads[2], [])), 'closed', 'append() of a closed store')
      await expectCode(store.read(run, 0), 'closed', 'read() of a closed store')
      await expectCode(store.head(run), 'closed', 'head() of a closed store')
      await expectCode(store.list(), 'closed', 'list() of a closed store')
      await expectCode(store.compact(run, { forget: 1, cold: 1 }), 'closed', 'compact() of a closed store')
      await expectCode(tails.list(run), 'closed', 'list() of the tails of a closed store')
      await expectCode(tails.drop(run, 'any'), 'closed', 'drop() of the tails of a closed store')
      await store.close()
    },
  },
]
