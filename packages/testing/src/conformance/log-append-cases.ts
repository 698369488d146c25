import { limits } from '@waystone/core'
import type { Case } from './case.ts'
import { expectBytes, expectCode, expectEqual } from './expect.ts'
import {
  appendOf,
  chain,
  expectLog,
  expectMoved,
  firstOf,
  joined,
  mustAppend,
  readAll,
  run,
  type LogSubject,
} from './log-fixtures.ts'

/** What an append accepts, refuses and keeps. */
export const logAppendCases: readonly Case<LogSubject>[] = [
  {
    name: 'append() keeps lines byte for byte, and the last one is the head',
    async run(subject) {
      const { store } = await subject()
      const first = chain({ count: 3 })
      const second = chain({ count: 2, after: first.heads.at(-1) })
      await mustAppend(store, appendOf(undefined, first.lines), first.heads[2])
      await mustAppend(
        store,
        appendOf(first.heads[2], second.lines, { durability: 'strict' }),
        second.heads[1],
      )
      await expectLog(store, joined(first, second))
    },
  },
  {
    name: 'append() keeps texts outside of ASCII byte for byte',
    async run(subject) {
      const { store } = await subject()
      const texts = chain({ count: 2, text: 'ä 語 🜚 \u0000 \u2028 \ufeff \ud800 \\ " \n' })
      await mustAppend(store, appendOf(undefined, texts.lines), texts.heads[1])
      await expectLog(store, texts)
    },
  },
  {
    name: 'append() refuses a log without a base when there is one already',
    async run(subject) {
      const { store } = await subject()
      const kept = chain({ count: 2 })
      const other = chain({ count: 1, text: 'other' })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[1])
      await expectMoved(store, appendOf(undefined, other.lines), kept.heads[1], 'another first entry')
      await expectLog(store, kept)
    },
  },
  {
    name: 'append() refuses a base that the log does not have, and keeps nothing of it',
    async run(subject) {
      const { store, tails } = await subject()
      const kept = chain({ count: 2 })
      const other = chain({ count: 2, text: 'other' })
      const more = chain({ count: 2, after: other.heads[1] })
      await expectMoved(store, appendOf(other.heads[1], more.lines), undefined, 'a base in an empty log')
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[1])
      await expectMoved(
        store,
        appendOf(other.heads[1], more.lines),
        kept.heads[1],
        'another digest at the head',
      )
      await expectMoved(store, appendOf(more.heads[1], []), kept.heads[1], 'a base after the head')
      await expectMoved(
        store,
        appendOf(other.heads[0], other.lines.slice(1)),
        kept.heads[1],
        'another digest before it',
      )
      await expectLog(store, kept)
      expectEqual(await tails.list(run), [], 'what was set aside')
    },
  },
  {
    name: 'append() lets exactly one of two writers with one base win',
    async run(subject) {
      const { store } = await subject()
      const base = chain({ count: 1 })
      await mustAppend(store, appendOf(undefined, base.lines), base.heads[0])
      const tails = ['one', 'two'].map((text) => chain({ count: 2, after: base.heads[0], text }))
      const answers = await Promise.all(
        tails.map(({ lines }) => store.append(run, appendOf(base.heads[0], lines))),
      )
      expectEqual(answers.filter(({ ok }) => ok).length, 1, 'how many won')
      const winner = tails[answers.findIndex(({ ok }) => ok)] ?? base
      expectEqual(
        answers.map(({ head }) => head),
        [winner.heads[1], winner.heads[1]],
        'the heads both were told',
      )
      await expectLog(store, joined(base, winner))
    },
  },
  {
    name: 'append() is ok again with the same lines, and stores nothing',
    async run(subject) {
      const { store } = await subject()
      const kept = chain({ count: 3 })
      const more = chain({ count: 1, after: kept.heads[2] })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[2])
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[2])
      await expectLog(store, kept)
      await mustAppend(store, appendOf(kept.heads[2], more.lines), more.heads[0])
      await mustAppend(store, appendOf(undefined, kept.lines), more.heads[0])
      await expectLog(store, joined(kept, more))
    },
  },
  {
    name: 'append() knows its lines in other batches',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 6 })
      await mustAppend(store, appendOf(undefined, all.lines.slice(0, 2)), all.heads[1])
      await mustAppend(store, appendOf(all.heads[1], all.lines.slice(2, 5)), all.heads[4])
      await mustAppend(store, appendOf(undefined, all.lines.slice(0, 5)), all.heads[4])
      await mustAppend(store, appendOf(all.heads[0], all.lines.slice(1, 3)), all.heads[4])
      await mustAppend(store, appendOf(all.heads[2], all.lines.slice(3, 4)), all.heads[4])
      await expectLog(store, firstOf(all, 5))
    },
  },
  {
    name: 'append() stores those of its lines that the log lacks',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 7 })
      await mustAppend(store, appendOf(undefined, all.lines.slice(0, 4)), all.heads[3])
      await mustAppend(store, appendOf(all.heads[1], all.lines.slice(2, 6)), all.heads[5])
      await mustAppend(store, appendOf(undefined, all.lines), all.heads[6])
      await expectLog(store, all)
    },
  },
  {
    name: 'append() refuses the whole when its first lines are known and the next one differs',
    async run(subject) {
      const { store } = await subject()
      const kept = chain({ count: 4 })
      const other = chain({ count: 3, after: kept.heads[1], text: 'other' })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[3])
      const mixed = appendOf(kept.heads[0], [...kept.lines.slice(1, 2), ...other.lines])
      await expectMoved(store, mixed, kept.heads[3], 'a tail that differs in its middle')
      await expectLog(store, kept)
    },
  },
  {
    name: 'append() without lines is ok at the head',
    async run(subject) {
      const { store } = await subject()
      const kept = chain({ count: 1 })
      await mustAppend(store, appendOf(undefined, kept.lines), kept.heads[0])
      await mustAppend(store, appendOf(kept.heads[0], []), kept.heads[0])
      await expectLog(store, kept)
    },
  },
  {
    name: 'append() applies calls that nobody awaited in their order',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 40 })
      const answers = all.lines.map((line, seq) => store.append(run, appendOf(all.heads[seq - 1], [line])))
      // One in between that is refused, or known, does not hold up the others.
      const known = store.append(run, appendOf(undefined, all.lines.slice(0, 3)))
      const heads = (await Promise.all(answers)).map((answer) => (answer.ok ? answer.head : answer.code))
      expectEqual(heads, all.heads, 'the heads of the answers')
      expectEqual((await known).ok, true, 'a repeated append at the end')
      await expectLog(store, all)
    },
  },
  {
    name: 'append() takes the bytes as they are when it is called, and read() gives bytes that the caller owns',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 4 })
      const given = all.lines.slice(0, 2).map((line) => line.slice())
      const appending = store.append(run, appendOf(undefined, given))
      for (const line of given) line.fill(0)
      expectEqual(await appending, { ok: true, head: all.heads[1] }, 'the first answer')
      // The first lines are known, so that this one takes a longer way through a store.
      const overlap = all.lines.map((line) => line.slice())
      const again = store.append(run, appendOf(undefined, overlap))
      for (const line of overlap) line.fill(0)
      expectEqual(await again, { ok: true, head: all.heads[3] }, 'the second answer')
      for (const line of await store.read(run, 0)) line.fill(0)
      await expectLog(store, all)
    },
  },
  {
    name: 'append() takes lines that are views into larger memory',
    async run(subject) {
      const { store } = await subject()
      const all = chain({ count: 2 })
      const whole = new Uint8Array(all.lines.reduce((sum, line) => sum + line.byteLength + 7, 0))
      let at = 5
      const views = all.lines.map((line) => {
        whole.set(line, at)
        at += line.byteLength
        return whole.subarray(at - line.byteLength, at)
      })
      await mustAppend(store, appendOf(undefined, views), all.heads[1])
      await expectLog(store, all)
    },
  },
  {
    name: 'append() keeps entries of exactly the largest size',
    async run(subject) {
      const { store } = await subject()
      const large = chain({ count: 3, lineBytes: limits.entryBytesMax })
      expectEqual(large.lines[0]?.byteLength, limits.entryBytesMax, 'the size of the entry')
      await mustAppend(store, appendOf(undefined, large.lines.slice(0, 1)), large.heads[0])
      await mustAppend(store, appendOf(large.heads[0], large.lines.slice(1)), large.heads[2])
      await expectLog(store, large)
    },
  },
  {
    name: 'append() refuses a line over the largest size and keeps nothing',
    async run(subject) {
      const { store } = await subject()
      const tooLarge = new Uint8Array(limits.entryBytesMax + 1).fill(32)
      await expectCode(
        store.append(run, appendOf(undefined, [tooLarge])),
        'entry_refused',
        'a line that is too large',
      )
      expectEqual(await store.head(run), undefined, 'the head')
    },
  },
  {
    name: 'append() keeps a batch that is larger than a record and than a page',
    async run(subject) {
      const { store } = await subject()
      const mixed: number[] = [400, 9_000, 59_000, 400, 31_000, 33_000, 400]
      const lines: Uint8Array[] = []
      const heads = []
      while (lines.reduce((sum, line) => sum + line.byteLength, 0) <= 1.2 * limits.pageBytesMax) {
        const lineBytes = mixed[lines.length % mixed.length] as number
        const one = chain({ count: 1, after: heads.at(-1), lineBytes })
        lines.push(...one.lines)
        heads.push(...one.heads)
      }
      await mustAppend(store, appendOf(undefined, lines), heads.at(-1))
      await expectLog(store, { lines, heads })
      const pages = await store.read(run, 0)
      expectEqual(pages.length < lines.length, true, 'more than one page')
      expectBytes(await readAll(store, run, 5), lines.slice(5), 'the log from its sixth line on')
      await mustAppend(store, appendOf(undefined, lines), heads.at(-1))
      await expectLog(store, { lines, heads })
    },
  },
]
