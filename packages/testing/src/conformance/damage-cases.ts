import { RunLog, type RunStorage } from '@waystone/core'
import type { Case } from './case.ts'
import type { DurableSubject } from './durable-cases.ts'
import { expectBytes, expectEqual } from './expect.ts'
import { appendBy, firstOf, joined, readAll, restOf, run } from './log-fixtures.ts'
import { laptop, last, startOf, stepsAfter } from './remote-fixtures.ts'

/** A log that can be opened: its first entry, a turn and eight steps. */
const start = startOf(run)
const log = joined(start, stepsAfter(run, last(start), 8, { text: 'A text of some length. '.repeat(40) }))

/** An entry, and the byte of it that is damaged. In its last entry no other one could tell that it is another text. */
const places = [
  [1, 'first'],
  [4, 'middle'],
  [8, 'middle'],
  [9, 'first'],
] as const

/** Bytes that are not as they were written: set aside with what came after them, and never thrown away. */
export const damageCases: readonly Case<DurableSubject>[] = [
  ...places.flatMap(([seq, where]) =>
    ([1, 10] as const).map((batch): Case<DurableSubject> => ({
      name: `a damaged ${where} byte of entry ${String(seq)} of ${String(log.lines.length)}, stored by ${String(batch)}: what is before is read, the rest set aside`,
      async run(subject) {
        const { open, damage } = await subject()
        const storage = await open()
        await appendBy(storage.store, log, batch)
        await damage(run, seq, where)
        await expectSetAside(await open(), seq)
      },
    })),
  ),
  {
    name: 'a damaged entry is told by read() as it is, and by no other run',
    async run(subject) {
      const { open, damage } = await subject()
      const storage = await open()
      await appendBy(storage.store, log, 1)
      await damage(run, 4, 'middle')
      const lines = await readAllRaw(await open())
      expectEqual(lines.length, log.lines.length, 'how many lines there are')
      const differs = lines.flatMap((line, seq) => (sameBytes(line, log.lines[seq]) ? [] : [seq]))
      expectEqual(differs, [4], 'which differ')
    },
  },
]

async function expectSetAside(storage: RunStorage, seq: number): Promise<void> {
  const opened = await RunLog.open(run, { ...storage, now: () => 1 })
  expectEqual(opened.damage?.seq, seq, 'the first damaged entry')
  expectEqual(opened.fold?.head, log.heads[seq - 1], 'the head')
  expectBytes(await readAll(storage.store), firstOf(log, seq).lines, 'what is left')
  const [tail, ...more] = await storage.tails.list(run)
  expectEqual(more.length, 0, 'other tails')
  expectBytes((tail?.lines ?? []).slice(1), restOf(log, seq + 1).lines, 'what came after it')
  const entries = await opened.append(laptop, () => [
    { kind: 'open', body: { reason: 'opened', place: 'browser', nonce: 'again', sdk: '0' } },
  ])
  const again = await RunLog.open(run, { ...storage, now: () => 1 })
  expectEqual(again.damage, undefined, 'damage that was set aside before')
  expectEqual(again.fold?.head.seq, entries[0]?.seq, 'the head after one more entry')
}

async function readAllRaw(storage: RunStorage): Promise<readonly Uint8Array[]> {
  const lines: Uint8Array[] = []
  for (
    let page = await storage.store.read(run, 0);
    page.length > 0;
    page = await storage.store.read(run, lines.length)
  )
    lines.push(...page)
  return lines
}

function sameBytes(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return one.byteLength === other?.byteLength && one.every((byte, at) => byte === other[at])
}
