import { limits, parseRunId } from '@waystone/core'
import type { Case } from './case.ts'
import { expectEqual } from './expect.ts'
import {
  appendBy,
  appendOf,
  chain,
  expectAside,
  expectLog,
  firstOf,
  joined,
  mustAppend,
  reason,
  run,
  type Chain,
  type LogSubject,
} from './log-fixtures.ts'

/** What becomes of tails that were set aside. */
export const logTailsCases: readonly Case<LogSubject>[] = [
  {
    name: 'drop() drops the tail that it names and no other, and leaves the log',
    async run(subject) {
      const { store, tails } = await subject()
      const { log, expected } = await setAsideAt(store, [30, 10, 20])
      const names = (await tails.list(run)).map(({ name }) => name)
      await tails.drop(run, names[1] ?? '')
      await expectAside(tails, [expected[0], expected[2]].flatMap(listOf))
      expectEqual(
        (await tails.list(run)).map(({ name }) => name),
        [names[0], names[2]],
        'the names of those that are left',
      )
      await tails.drop(run, names[1] ?? '')
      await tails.drop(run, 'nobody')
      await expectAside(tails, [expected[0], expected[2]].flatMap(listOf))
      await tails.drop(run, names[0] ?? '')
      await tails.drop(run, names[2] ?? '')
      await expectAside(tails, [])
      await expectLog(store, log)
    },
  },
  {
    name: 'a tail is set aside after others were dropped',
    async run(subject) {
      const { store, tails } = await subject()
      const { log, expected } = await setAsideAt(store, [1, 2])
      const [first] = await tails.list(run)
      await tails.drop(run, first?.name ?? '')
      const next = chain({ count: 1, after: log.heads[0], text: 'next' })
      await mustAppend(
        store,
        appendOf(log.heads[0], next.lines, { setAside: { reason, time: 3 } }),
        next.heads[0],
      )
      await expectAside(tails, [...listOf(expected[1]), { time: 3, lines: log.lines.slice(1) }])
    },
  },
  {
    name: 'drop() drops a tail of many pages whole',
    async run(subject) {
      const { store, tails } = await subject()
      const count = Math.ceil((2.5 * limits.pageBytesMax) / 50_000)
      const kept = chain({ count, lineBytes: 50_000 })
      const other = chain({ count: 1, after: kept.heads[0], text: 'other' })
      await appendBy(store, kept, 10)
      await mustAppend(
        store,
        appendOf(kept.heads[0], other.lines, { setAside: { reason, time: 7 } }),
        other.heads[0],
      )
      await expectAside(tails, [{ time: 7, lines: kept.lines.slice(1) }])
      await tails.drop(run, (await tails.list(run))[0]?.name ?? '')
      await expectAside(tails, [])
      await expectLog(store, joined(firstOf(kept, 1), other))
    },
  },
  {
    name: 'tails of runs are apart',
    async run(subject) {
      const { store, tails } = await subject()
      const other = parseRunId('run-10')
      await setAsideAt(store, [5])
      const { expected } = await setAsideAt(store, [5], other)
      await tails.drop(run, (await tails.list(run))[0]?.name ?? '')
      await expectAside(tails, [])
      await expectAside(tails, expected, other)
    },
  },
]

/** A log of which tails were set aside at these times, each after its second entry. */
async function setAsideAt(
  store: LogSubject['store'],
  times: readonly number[],
  of = run,
): Promise<{ log: Chain; expected: readonly { time: number; lines: readonly Uint8Array[] }[] }> {
  const expected: { time: number; lines: readonly Uint8Array[] }[] = []
  let log = chain({ run: of, count: 4 })
  await mustAppend(store, appendOf(undefined, log.lines), log.heads.at(-1), of)
  for (const time of times) {
    const next = chain({ run: of, count: 3, after: log.heads[1], text: String(time) })
    const append = appendOf(log.heads[1], next.lines, { setAside: { reason, time } })
    await mustAppend(store, append, next.heads[2], of)
    expected.push({ time, lines: log.lines.slice(2) })
    log = joined(firstOf(log, 2), next)
  }
  return { log, expected }
}

function listOf<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value]
}
