import { limits } from '@waystone/core'
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
  type Chain,
  type LogSubject,
} from './log-fixtures.ts'

/** How a log keeps entries that are seldom read. */
export const logColdCases: readonly Case<LogSubject>[] = [
  {
    name: 'compact() gives cold lines back byte for byte, whatever their size and however they came',
    async run(subject) {
      const { store } = await subject()
      const all = mixed(300)
      for (let from = 0, count = 1; from < 300; from += count, count = (count % 7) + 1) {
        const lines = all.lines.slice(from, from + count)
        await mustAppend(store, appendOf(all.heads[from - 1], lines), all.heads[from + lines.length - 1])
      }
      await store.compact(run, { forget: 0, cold: 290 })
      await expectLog(store, all)
      for (const from of [1, 2, 50, 149, 288, 289, 290, 291, 299, 300])
        expectBytes(await readAll(store, run, from), all.lines.slice(from), `from line ${String(from)} on`)
    },
  },
  {
    name: 'compact() gives back cold lines that cannot be made smaller',
    async run(subject) {
      const { store } = await subject()
      const all = noisy(40, limits.entryBytesMax)
      await appendBy(store, all, 1)
      await store.compact(run, { forget: 0, cold: 40 })
      await expectLog(store, all)
      await store.compact(run, { forget: 0, cold: 40 })
      await expectLog(store, all)
    },
  },
  {
    name: 'compact() of cold lines again, and of some of them to be let go, leaves the others',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 1_600, lineBytes: 2_000 })
      for (const upTo of [400, 800, 1_200, 1_600]) {
        await appendBy(store, cut(all, upTo - 400, upTo), 2, run, all.heads[upTo - 401])
        await store.compact(run, { forget: 0, cold: upTo - 50 })
      }
      await expectLog(store, all)
      await store.compact(run, { forget: 1_300, cold: 1_599 })
      const first = await firstSeq(store)
      expectEqual(first > 0 && first <= 1_300, true, `that the log begins at ${String(first)}`)
      await expectLog(store, restOf(all, first))
      await store.compact(run, { forget: 1_300, cold: 1_600 })
      await expectLog(store, restOf(all, await firstSeq(store)))
    },
  },
  {
    name: 'append() over cold lines: known ones again, others refused, in the order of the calls',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 120, lineBytes: 9_000 })
      const other = chain({ count: 2, after: all.heads[30], text: 'other' })
      await appendBy(store, firstOf(all, 100), 1)
      await store.compact(run, { forget: 0, cold: 95 })
      await mustAppend(store, appendOf(all.heads[20], all.lines.slice(21, 40)), all.heads[99])
      await mustAppend(store, appendOf(undefined, all.lines.slice(0, 3)), all.heads[99])
      await expectMoved(
        store,
        appendOf(all.heads[30], other.lines),
        all.heads[99],
        'others after a cold line',
      )
      await expectMoved(store, appendOf(other.heads[0], []), all.heads[99], 'another digest of a cold line')
      const answers = await Promise.all([
        store.append(run, appendOf(all.heads[50], all.lines.slice(51, 105))),
        store.append(run, appendOf(all.heads[104], all.lines.slice(105, 110))),
        store.append(run, appendOf(all.heads[109], all.lines.slice(110))),
      ])
      expectEqual(
        answers.map(({ head }) => head),
        [all.heads[104], all.heads[109], all.heads[119]],
        'the heads of appends that nobody awaited',
      )
      await expectLog(store, all)
      await expectAside(tails, [])
    },
  },
  {
    name: 'setAside moves cold lines verbatim, from inside of what was kept together',
    async run(subject) {
      const { store, tails } = await subject()
      const all = mixed(160)
      const other = chain({ count: 120, after: all.heads[66], text: 'other', lineBytes: 3_000 })
      const last = chain({ count: 1, after: other.heads[20], text: 'last' })
      await appendBy(store, all, 2)
      await store.compact(run, { forget: 0, cold: 155 })
      await mustAppend(
        store,
        appendOf(all.heads[66], other.lines, { setAside: { reason, time: 7 } }),
        other.heads[119],
      )
      await expectLog(store, joined(firstOf(all, 67), other))
      await expectAside(tails, [{ time: 7, lines: all.lines.slice(67) }])
      await store.compact(run, { forget: 0, cold: 180 })
      await expectLog(store, joined(firstOf(all, 67), other))
      await mustAppend(
        store,
        appendOf(other.heads[20], last.lines, { setAside: { reason, time: 8 } }),
        last.heads[0],
      )
      await expectLog(store, joined(firstOf(all, 67), firstOf(other, 21), last))
      await expectAside(tails, [
        { time: 7, lines: all.lines.slice(67) },
        { time: 8, lines: other.lines.slice(21) },
      ])
    },
  },
  {
    name: 'setAside with known cold lines keeps those in the log',
    async run(subject) {
      const { store, tails } = await subject()
      const all = chain({ count: 60, lineBytes: 9_000 })
      const other = chain({ count: 2, after: all.heads[40], text: 'other' })
      await appendBy(store, all, 1)
      await store.compact(run, { forget: 0, cold: 60 })
      const lines = [...all.lines.slice(11, 41), ...other.lines]
      await mustAppend(
        store,
        appendOf(all.heads[10], lines, { setAside: { reason, time: 7 } }),
        other.heads[1],
      )
      await expectLog(store, joined(firstOf(all, 41), other))
      await expectAside(tails, [{ time: 7, lines: all.lines.slice(41) }])
    },
  },
]

/** Entries of many sizes, with texts that do and do not get smaller. */
function mixed(count: number): Chain {
  const sizes = [undefined, 900, 25_000, undefined, 4_000, limits.entryBytesMax, undefined, 12_000]
  const texts = ['ä 語 🜚 \u0000 \u2028 \ud800 \\ " \n', 'plain', noise(300), 'x'.repeat(200)]
  const parts: Chain[] = []
  for (let seq = 0; seq < count; seq += 1) {
    const lineBytes = sizes[seq % sizes.length]
    const text = texts[seq % texts.length] as string
    const after = parts.at(-1)?.heads[0]
    parts.push(chain({ count: 1, after, text, ...(lineBytes === undefined ? {} : { lineBytes }) }))
  }
  return joined(...parts)
}

/** Entries of one size whose texts are as good as random. */
function noisy(count: number, lineBytes: number): Chain {
  const parts: Chain[] = []
  for (let seq = 0; seq < count; seq += 1) {
    const after = parts.at(-1)?.heads[0]
    parts.push(chain({ count: 1, after, text: noise(lineBytes - 1_000, seq + 1), lineBytes }))
  }
  return joined(...parts)
}

/** Text of printable characters, another one for each seed. */
function noise(chars: number, seed = 7): string {
  let state = seed
  let text = ''
  while (text.length < chars) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += String.fromCharCode(35 + ((state >>> 16) % 57))
  }
  return text
}

function cut({ lines, heads }: Chain, from: number, to: number): Chain {
  return { lines: lines.slice(from, to), heads: heads.slice(from, to) }
}
