import type { Case } from './case.ts'
import { expectBytes, expectEqual } from './expect.ts'
import {
  appendBy,
  appendOf,
  chain,
  expectAside,
  expectLog,
  expectMoved,
  joined,
  mustAppend,
  readAll,
  reason,
  restOf,
  run,
  type LogSubject,
} from './log-fixtures.ts'

/** How a log begins after entries that are elsewhere. */
export const logBeginsCases: readonly Case<LogSubject>[] = [
  {
    name: 'begins lets an empty log begin after a base, and it goes on from there',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 12 })
      const kept = restOf(all, 5)
      await mustAppend(store, appendOf(all.heads[4], kept.lines.slice(0, 4), { begins: true }), kept.heads[3])
      await mustAppend(store, appendOf(kept.heads[3], kept.lines.slice(4)), kept.heads[6])
      await expectLog(store, kept)
      for (let from = 0; from <= 12; from += 1) {
        expectBytes(
          await store.read(run, from),
          all.lines.slice(Math.max(5, from)),
          `the lines from ${String(from)} on`,
        )
      }
    },
  },
  {
    name: 'begins of a large log, in one append of more than a page',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 40, lineBytes: 40_000 })
      const kept = restOf(all, 3)
      await mustAppend(store, appendOf(all.heads[2], kept.lines, { begins: true }), kept.heads.at(-1))
      await expectLog(store, kept)
    },
  },
  {
    name: 'begins is ok again with the same lines, in other batches too, and stores those that are missing',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 9 })
      const kept = restOf(all, 3)
      const begin = appendOf(all.heads[2], kept.lines.slice(0, 4), { begins: true })
      await mustAppend(store, begin, kept.heads[3])
      await mustAppend(store, begin, kept.heads[3])
      await mustAppend(store, appendOf(all.heads[2], kept.lines.slice(0, 2), { begins: true }), kept.heads[3])
      await mustAppend(store, appendOf(all.heads[2], kept.lines.slice(0, 1)), kept.heads[3])
      await mustAppend(store, appendOf(kept.heads[0], kept.lines.slice(1, 3)), kept.heads[3])
      expectEqual(await store.head(run), kept.heads[3], 'the head')
      await mustAppend(store, appendOf(all.heads[2], kept.lines, { begins: true }), kept.heads[5])
      await expectLog(store, kept)
    },
  },
  {
    name: 'begins is refused on a log that is there, unless it is at its head',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 9 })
      const other = chain({ count: 9, text: 'other' })
      const kept = restOf(all, 3)
      await mustAppend(store, appendOf(all.heads[2], kept.lines.slice(0, 3), { begins: true }), kept.heads[2])
      for (const base of [0, 1, 2, 5, 7]) {
        await expectMoved(
          store,
          appendOf(other.heads[base], other.lines.slice(base + 1), { begins: true }),
          kept.heads[2],
          `a log that begins after entry ${String(base)} of another`,
        )
      }
      await expectMoved(
        store,
        appendOf(all.heads[0], all.lines.slice(1), { begins: true }),
        kept.heads[2],
        'the same log from an earlier entry on',
      )
      await expectMoved(
        store,
        appendOf(undefined, other.lines.slice(0, 1), { begins: true }),
        kept.heads[2],
        'a log from its start',
      )
      await mustAppend(store, appendOf(kept.heads[2], kept.lines.slice(3), { begins: true }), kept.heads[5])
      await expectLog(store, kept)
      await expectAside(tails, [])
    },
  },
  {
    name: 'begins lets exactly one of two writers win',
    async run(subject) {
      const { store } = await subject()
      const base = chain({ count: 4 })
      const logs = ['one', 'two'].map((text) => chain({ count: 3, after: base.heads[3], text }))
      const answers = await Promise.all(
        logs.map(({ lines }) => store.append(run, appendOf(base.heads[3], lines, { begins: true }))),
      )
      expectEqual(answers.filter(({ ok }) => ok).length, 1, 'how many won')
      await expectLog(store, logs[answers.findIndex(({ ok }) => ok)] ?? base)
    },
  },
  {
    name: 'setAside of the whole of a log that begins after a base moves all of it',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 8 })
      const kept = restOf(all, 4)
      const other = chain({ count: 2, after: all.heads[3], text: 'other' })
      const anew = chain({ count: 6, text: 'anew' })
      await mustAppend(store, appendOf(all.heads[3], kept.lines, { begins: true }), kept.heads[3])
      const none = appendOf(all.heads[3], [], { setAside: { reason, time: 6 } })
      await expectMoved(store, none, kept.heads[3], 'an append that would leave an empty log')
      await mustAppend(
        store,
        appendOf(all.heads[3], other.lines, { setAside: { reason, time: 7 } }),
        other.heads[1],
      )
      await expectLog(store, other)
      await mustAppend(
        store,
        appendOf(undefined, anew.lines, { setAside: { reason, time: 8 } }),
        anew.heads[5],
      )
      await expectLog(store, anew)
      await expectAside(tails, [
        { time: 7, lines: kept.lines },
        { time: 8, lines: other.lines },
      ])
      const more = chain({ count: 1, after: anew.heads[5] })
      await mustAppend(store, appendOf(anew.heads[5], more.lines), more.heads[0])
      expectBytes(await readAll(store), joined(anew, more).lines, 'the log')
    },
  },
  {
    name: 'begins with setAside sets the whole of a log aside and begins anew after the base, once',
    async run(subject) {
      for (const cold of [0, 60]) {
        const { store, tails } = await subject()
        const kept = chain({ count: 60, lineBytes: 9_000 })
        const others = ['other', 'third'].map((text) => chain({ count: 210, text }))
        await appendBy(store, kept, 2)
        await store.compact(run, { forget: 0, cold })
        // After the log, and in the middle of it.
        for (const [index, other] of others.entries()) {
          const [time, base] = [7 + index, [200, 30][index] ?? 0]
          const before = { lines: await readAll(store), aside: await tails.list(run) }
          const anew = restOf(other, base + 1)
          const append = appendOf(other.heads[base], anew.lines, {
            begins: true,
            setAside: { reason, time },
          })
          await mustAppend(store, append, anew.heads.at(-1))
          await mustAppend(store, append, anew.heads.at(-1))
          await expectLog(store, anew)
          await expectAside(tails, [...before.aside, { time, lines: before.lines }])
        }
        const head = await store.head(run)
        const more = chain({ count: 1, after: head })
        await mustAppend(store, appendOf(head, more.lines), more.heads[0])
      }
    },
  },
  {
    name: 'begins with setAside of a log that is not there is a beginning like any other',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 9 })
      const kept = restOf(all, 5)
      const append = appendOf(all.heads[4], kept.lines, { begins: true, setAside: { reason, time: 7 } })
      await mustAppend(store, append, kept.heads[3])
      await mustAppend(store, append, kept.heads[3])
      await expectLog(store, kept)
      await expectAside(tails, [])
    },
  },
]
