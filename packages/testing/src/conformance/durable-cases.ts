import type { Append, RunId, RunStorage } from '@waystone/core'
import { blobOf, listOf } from './blobs-fixtures.ts'
import type { Case } from './case.ts'
import { damageCases } from './damage-cases.ts'
import { expectBytes, expectCode, expectEqual } from './expect.ts'
import {
  appendOf,
  chain,
  expectLog,
  expectMoved,
  joined,
  mustAppend,
  restOf,
  run,
  summary,
} from './log-fixtures.ts'
import { messageOf } from './remote-fixtures.ts'

/** One storage as several hosts have it: tabs, processes, requests. */
export interface DurableSubject {
  /** Opens it once more. Closing one leaves the others open. */
  open(): Promise<RunStorage>
  /** Changes a byte of a stored entry, as a failing disk does: the first, which no entry is without, or one in its middle. */
  damage(run: RunId, seq: number, where: 'first' | 'middle'): Promise<void>
}

/** What storages keep beyond the host that wrote it, and when several hosts write at once. */
export const durableCases: readonly Case<DurableSubject>[] = [
  {
    name: 'what was acknowledged is there for who opens it later',
    async run(subject) {
      const { open } = await subject()
      const first = await open()
      const log = chain({ count: 5 })
      const { hash, bytes } = blobOf(100_000)
      await mustAppend(first.store, appendOf(undefined, log.lines, { summary: summary(run) }), log.heads[4])
      await first.snapshots.put(run, 3, log.lines[3] as Uint8Array)
      await first.blobs.put(run, hash, bytes)
      await first.inbox.put(run, messageOf('a'))
      await first.streams.append(run, '1/a', { at: 0, text: 'half' })
      await first.store.close()
      const again = await open()
      await expectLog(again.store, log)
      expectEqual(await again.store.list(), [summary(run)], 'the list')
      expectBytes(
        listOf(await again.snapshots.get(run, 3)),
        log.lines.slice(3, 4),
        'the line of the snapshot',
      )
      expectBytes(listOf(await again.blobs.get(run, hash)), [bytes], 'the blob')
      expectEqual(await again.inbox.list(run), [messageOf('a')], 'the inbox')
      expectEqual(await again.streams.read(run, '1/a', 0), { at: 0, text: 'half' }, 'the stream')
    },
  },
  {
    name: 'a tail that was set aside is there for who opens it later',
    async run(subject) {
      const { open } = await subject()
      const first = await open()
      const log = chain({ count: 4 })
      const other = chain({ count: 1, after: log.heads[1], text: 'other' })
      const setAside = { reason: 'moved on', time: 7 }
      await mustAppend(first.store, appendOf(undefined, log.lines), log.heads[3])
      await mustAppend(first.store, appendOf(log.heads[1], other.lines, { setAside }), other.heads[0])
      await first.store.close()
      const [tail, ...more] = await (await open()).tails.list(run)
      expectEqual([tail?.reason, tail?.time, more.length], ['moved on', 7, 0], 'the tail')
      expectBytes(tail?.lines ?? [], log.lines.slice(2), 'its lines')
    },
  },
  {
    name: 'append() is accepted from exactly one of two writers with one base, round after round',
    async run(subject) {
      const { open } = await subject()
      const [one, two] = [await open(), await open()]
      let log = chain({ count: 1 })
      await mustAppend(one.store, appendOf(undefined, log.lines), log.heads[0])
      for (let round = 0; round < 20; round += 1) {
        const tails = ['one', 'two'].map((text) => chain({ count: 2, after: log.heads.at(-1), text }))
        const appends = tails.map(({ lines }): Append => appendOf(log.heads.at(-1), lines))
        const answers = await Promise.all([
          one.store.append(run, appends[0] as Append),
          two.store.append(run, appends[1] as Append),
        ])
        expectEqual(answers.filter(({ ok }) => ok).length, 1, 'how many won')
        const winner = tails[answers.findIndex(({ ok }) => ok)]
        log = joined(log, winner ?? log)
        const heads = answers.map(({ head }) => head)
        expectEqual(heads, [log.heads.at(-1), log.heads.at(-1)], 'the heads that both were told')
      }
      await expectLog(one.store, log)
      await expectLog(two.store, log)
    },
  },
  {
    name: 'append() knows the entries of another host, in other batches, and nobody reads a log that is out of date',
    async run(subject) {
      const { open } = await subject()
      const [one, two] = [await open(), await open()]
      const log = chain({ count: 6 })
      await mustAppend(one.store, appendOf(undefined, log.lines.slice(0, 2)), log.heads[1])
      await mustAppend(two.store, appendOf(undefined, log.lines.slice(0, 4)), log.heads[3])
      await mustAppend(one.store, appendOf(log.heads[0], log.lines.slice(1, 3)), log.heads[3])
      expectEqual(await one.store.head(run), log.heads[3], 'the head')
      const late = chain({ count: 1, after: log.heads[1], text: 'late' })
      await expectMoved(one.store, appendOf(log.heads[1], late.lines), log.heads[3], 'an append that is late')
      await mustAppend(one.store, appendOf(log.heads[3], restOf(log, 4).lines), log.heads[5])
      await expectLog(two.store, log)
    },
  },
  {
    name: 'an inbox takes an answer from one of two hosts, and blobs that one has removed the other has not',
    async run(subject) {
      const { open } = await subject()
      const [one, two] = [await open(), await open()]
      const { hash, bytes } = blobOf(1_000)
      const ask = { type: 'answer', ask: hash, value: 1, time: 1, by: 'phone' } as const
      const puts = [one.inbox.put(run, { ...ask, id: 'a' }), two.inbox.put(run, { ...ask, id: 'b' })]
      expectEqual((await Promise.all(puts)).toSorted(), ['added', 'taken'], 'two answers at once')
      expectEqual(await one.inbox.list(run), await two.inbox.list(run), 'the items of both')
      await one.blobs.put(run, hash, bytes)
      await two.blobs.remove(run, [hash])
      expectEqual(await one.blobs.missing(run, [hash]), [hash], 'what is missing')
      await one.blobs.put(run, hash, bytes)
      expectBytes(listOf(await two.blobs.get(run, hash)), [bytes], 'the blob that was put again')
    },
  },
  {
    name: 'closing one leaves the others open',
    async run(subject) {
      const { open } = await subject()
      const [one, two] = [await open(), await open()]
      const log = chain({ count: 2 })
      await mustAppend(one.store, appendOf(undefined, log.lines.slice(0, 1)), log.heads[0])
      await one.store.close()
      await expectCode(one.store.head(run), 'closed', 'the closed one')
      await mustAppend(two.store, appendOf(log.heads[0], log.lines.slice(1)), log.heads[1])
      await expectLog(two.store, log)
    },
  },
  {
    name: 'a log that one host compacts while another appends is whole',
    async run(subject) {
      const { open } = await subject()
      const [one, two] = [await open(), await open()]
      const log = chain({ count: 120, lineBytes: 2_000 })
      const appending = (async () => {
        for (const [seq, line] of log.lines.entries())
          await mustAppend(one.store, appendOf(log.heads[seq - 1], [line]), log.heads[seq])
      })()
      for (let round = 0; round < 12; round += 1) {
        const head = await two.store.head(run)
        await two.store.compact(run, { forget: 0, cold: (head?.seq ?? 0) - 3 })
      }
      await appending
      await two.store.compact(run, { forget: 0, cold: 115 })
      await expectLog(one.store, log)
      await expectLog(two.store, log)
    },
  },
  ...damageCases,
]
