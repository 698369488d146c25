import { limits } from '@waystone/core'
import type { Case } from './case.ts'
import { expectEqual } from './expect.ts'
import {
  appendOf,
  chain,
  expectAside,
  expectLog,
  expectMoved,
  firstOf,
  joined,
  mustAppend,
  reason,
  run,
  summary,
  type Chain,
  type LogSubject,
} from './log-fixtures.ts'

/** How a tail makes way for another. */
export const logSetAsideCases: readonly Case<LogSubject>[] = [
  {
    name: 'setAside moves the tail after the base verbatim, and the log goes on',
    async run(subject) {
      const { store, tails } = await subject()
      const kept = chain({ count: 6 })
      const other = chain({ count: 2, after: kept.heads[2], text: 'other' })
      const more = chain({ count: 1, after: other.heads[1] })
      const late = chain({ count: 1, after: kept.heads[5] })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[5])
      await mustAppend(
        store,
        appendOf(kept.heads[2], other.lines, { setAside: { reason, time: 7 }, summary: summary(run, 2) }),
        other.heads[1],
      )
      await expectAside(tails, [{ time: 7, lines: kept.lines.slice(3) }])
      await mustAppend(store, appendOf(other.heads[1], more.lines), more.heads[0])
      await expectLog(store, joined(firstOf(kept, 3), other, more))
      expectEqual(await store.list(), [summary(run, 2)], 'the summary')
      await expectMoved(
        store,
        appendOf(kept.heads[5], late.lines),
        more.heads[0],
        'an append after what was set aside',
      )
    },
  },
  {
    name: 'setAside moves a tail that came in many appends, from inside of one of them',
    async run(subject) {
      const { store, tails } = await subject()
      const kept = chain({ count: 200 })
      for (let from = 0; from < 200; from += 4) {
        await mustAppend(
          store,
          appendOf(kept.heads[from - 1], kept.lines.slice(from, from + 4)),
          kept.heads[from + 3],
        )
      }
      const other = chain({ count: 5, after: kept.heads[9], text: 'other' })
      await mustAppend(
        store,
        appendOf(kept.heads[9], other.lines, { setAside: { reason, time: 7 } }),
        other.heads[4],
      )
      await expectLog(store, joined(firstOf(kept, 10), other))
      await expectAside(tails, [{ time: 7, lines: kept.lines.slice(10) }])
    },
  },
  {
    name: 'setAside moves a tail that is larger than a page',
    async run(subject) {
      const { store, tails } = await subject()
      const count = Math.ceil(limits.pageBytesMax / 50_000) + 2
      const kept = chain({ count, lineBytes: 50_000 })
      const other = chain({ count: 1, after: kept.heads[0], text: 'other' })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads.at(-1))
      await mustAppend(
        store,
        appendOf(kept.heads[0], other.lines, { setAside: { reason, time: 7 } }),
        other.heads[0],
      )
      await expectLog(store, joined(firstOf(kept, 1), other))
      await expectAside(tails, [{ time: 7, lines: kept.lines.slice(1) }])
    },
  },
  {
    name: 'setAside with known first lines keeps those in the log',
    async run(subject) {
      const { store, tails } = await subject()
      const kept = chain({ count: 5 })
      const other = chain({ count: 2, after: kept.heads[2], text: 'other' })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[4])
      const lines = [...kept.lines.slice(1, 3), ...other.lines]
      const append = appendOf(kept.heads[0], lines, { setAside: { reason, time: 7 } })
      await mustAppend(store, append, other.heads[1])
      await expectLog(store, joined(firstOf(kept, 3), other))
      await mustAppend(store, append, other.heads[1])
      await expectLog(store, joined(firstOf(kept, 3), other))
      await expectAside(tails, [{ time: 7, lines: kept.lines.slice(3) }])
    },
  },
  {
    name: 'setAside without lines ends the log at the base',
    async run(subject) {
      const { store, tails } = await subject()
      const kept = chain({ count: 4 })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[3])
      await mustAppend(store, appendOf(kept.heads[1], [], { setAside: { reason, time: 7 } }), kept.heads[1])
      await expectLog(store, firstOf(kept, 2))
      await expectAside(tails, [{ time: 7, lines: kept.lines.slice(2) }])
    },
  },
  {
    name: 'setAside at the head is an append like any other',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 3 })
      await mustAppend(store, appendOf(undefined, all.lines.slice(0, 2)), all.heads[1])
      await mustAppend(
        store,
        appendOf(all.heads[1], all.lines.slice(2), { setAside: { reason, time: 7 } }),
        all.heads[2],
      )
      await expectLog(store, all)
      await expectAside(tails, [])
    },
  },
  {
    name: 'setAside refuses a base that the log does not have, and moves nothing',
    async run(subject) {
      const { store, tails } = await subject()
      const kept = chain({ count: 3 })
      const other = chain({ count: 3, text: 'other' })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[2])
      const append = appendOf(other.heads[1], other.lines.slice(2), { setAside: { reason, time: 7 } })
      await expectMoved(store, append, kept.heads[2], 'a base of another log')
      await expectLog(store, kept)
      await expectAside(tails, [])
    },
  },
  {
    name: 'list() of tails gives what was set aside from oldest to newest, each under its name',
    async run(subject) {
      const { store, tails } = await subject()
      const expected: { time: number; lines: readonly Uint8Array[] }[] = []
      const first = chain({ count: 4 })
      let log: Chain = first
      await mustAppend(store, appendOf(undefined, log.lines), log.heads.at(-1))
      for (const time of [30, 10, 20]) {
        const base = log.heads[1]
        const next = chain({ count: 3, after: base, text: String(time) })
        await mustAppend(store, appendOf(base, next.lines, { setAside: { reason, time } }), next.heads[2])
        expected.push({ time, lines: log.lines.slice(2) })
        log = joined(firstOf(log, 2), next)
      }
      await expectLog(store, log)
      await expectAside(tails, expected)
      const names = (await tails.list(run)).map(({ name }) => name)
      expectEqual(new Set(names).size, 3, 'how many names')
    },
  },
]
