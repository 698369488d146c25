import { digestBytes, parseDigest, utf8, type Pushed } from '@waystone/core'
import type { Case } from './case.ts'
import { expectCode, expectEqual } from './expect.ts'
import { firstOf, joined, restOf } from './log-fixtures.ts'
import {
  after,
  atLaptop,
  endAfter,
  expectPushMoved,
  expectRemote,
  laptop,
  last,
  mustPush,
  phone,
  startOf,
  stepsAfter,
  type RemoteSubject,
} from './remote-fixtures.ts'

/** What an edge takes from the owner of a run. */
export const remotePushCases: readonly Case<RemoteSubject>[] = [
  {
    name: 'push() keeps entries, which pull() gives to every device byte for byte',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      const more = stepsAfter(run, last(start), 3, { text: 'ä 語 🜚 \u2028 \ud800 \\ " \n' })
      await mustPush(remote, run, undefined, start)
      await mustPush(remote, run, last(start), more)
      await expectRemote(remote, run, joined(start, more))
      await expectRemote(edge.edge(phone).remote, run, joined(start, more))
    },
  },
  {
    name: 'push() of entries that are there, in other batches, is ok, and stores those that are not',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const all = joined(start, stepsAfter(run, last(start), 6))
      await mustPush(remote, run, undefined, firstOf(all, 3))
      await mustPush(remote, run, undefined, firstOf(all, 3))
      await mustPush(remote, run, all.heads[0], {
        lines: all.lines.slice(1, 2),
        heads: all.heads.slice(1, 2),
      })
      await expectRemote(remote, run, firstOf(all, 3))
      await mustPush(remote, run, all.heads[1], {
        lines: all.lines.slice(2, 6),
        heads: all.heads.slice(2, 6),
      })
      await mustPush(remote, run, undefined, all)
      await mustPush(remote, run, all.heads[3], restOf(all, 4))
      await expectRemote(remote, run, all)
    },
  },
  {
    name: 'push() is refused whole where the log differs, naming where it ends',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const kept = joined(start, stepsAfter(run, last(start), 3))
      const head = last(kept)
      const other = startOf(run, { nonce: 'another' })
      const tail = stepsAfter(run, last(start), 4, { text: 'other' })
      const far = stepsAfter(run, last(tail), 2, { from: 4 })
      const taken = await isTaken(remote.push(run, { base: last(tail), lines: far.lines }))
      expectEqual(taken, false, 'whether entries were taken whose beginning nobody has')
      await expectRemote(remote, run, { lines: [], heads: [] })
      await mustPush(remote, run, undefined, kept)
      const pushes = {
        'another first entry': { base: undefined, lines: other.lines },
        'another tail': { base: last(start), lines: tail.lines },
        'a known entry and another tail': { base: undefined, lines: [...start.lines, ...tail.lines] },
        'entries after a base that is not there': { base: last(tail), lines: far.lines },
      }
      for (const [what, push] of Object.entries(pushes)) await expectPushMoved(remote, run, push, head, what)
      await expectRemote(remote, run, kept)
    },
  },
  {
    name: 'push() is ok for exactly one of two at one base',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      const remotes = [remote, edge.edge(laptop).remote]
      await mustPush(remote, run, undefined, start)
      const tails = ['one', 'two'].map((text) => stepsAfter(run, last(start), 2, { text }))
      const answers = await Promise.all(
        tails.map(({ lines }, index) => remotes[index]?.push(run, { base: last(start), lines })),
      )
      const won = answers.map((answer) => answer?.ok === true)
      expectEqual(won.filter(Boolean).length, 1, 'how many won')
      await expectRemote(edge.edge(phone).remote, run, joined(start, tails[won.indexOf(true)] ?? start))
    },
  },
  {
    name: 'push() keeps nothing of who is not the owner, of another epoch, and no claim of a device',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const base = last(start)
      await mustPush(remote, run, undefined, start)
      const stranger = stepsAfter(run, base, 1, { owner: phone }).lines
      const later = stepsAfter(run, base, 1, { epoch: 1 }).lines
      await expectPushMoved(remote, run, { base, lines: stranger }, base, 'entries of somebody else')
      await expectPushMoved(remote, run, { base, lines: later }, base, 'entries of a later epoch')
      const body = { reason: 'forced', place: 'browser', from: laptop, nonce: 'n', sdk: '0' } as const
      const claim = after(run, base, [{ kind: 'claim', body }], { owner: phone, epoch: 1, term: 2 })
      const taken = await isTaken(remote.push(run, { base, lines: claim.lines }))
      expectEqual(taken, false, 'whether a claim of a device was taken')
      await expectRemote(remote, run, start)
    },
  },
  {
    name: 'push() keeps nothing of lines that are no chain of this run',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      const more = stepsAfter(run, last(start), 3)
      await mustPush(remote, run, undefined, start)
      const base = last(start)
      const [first, second, third] = more.lines as [Uint8Array, Uint8Array, Uint8Array]
      const gap = remote.push(run, { base, lines: [first, third] })
      await expectCode(gap, 'log_damaged', 'a push with a gap')
      const bits = remote.push(run, { base, lines: [first.with(20, 7), second] })
      await expectCode(bits, 'entry_refused', 'a push with a damaged line')
      const foreign = remote.push(run, { base: undefined, lines: startOf(edge.newRun()).lines })
      await expectCode(foreign, 'log_damaged', 'a push of another run')
      await expectRemote(remote, run, start)
    },
  },
  {
    name: 'push() names the blobs that are missing, keeps nothing, and is ok when they were put',
    async run(subject) {
      const { remote, blobs, run, start } = await atLaptop(subject)
      const all = ['one', 'two', 'three'].map((text) => ({ bytes: utf8(text), hash: hashOf(utf8(text)) }))
      const hashes = all.map(({ hash }) => hash)
      const named = after(run, last(start), [
        { kind: 'label', body: { path: '0/label', label: 'named' }, blobs: hashes },
      ])
      await mustPush(remote, run, undefined, start)
      await blobs.put(run, hashes[1] as (typeof hashes)[0], all[1]?.bytes ?? new Uint8Array())
      const push = { base: last(start), lines: named.lines }
      const missing = { ok: false, code: 'blob_missing', hashes: [hashes[0], hashes[2]] }
      expectEqual(await remote.push(run, push), missing, 'the answer')
      await expectRemote(remote, run, start)
      for (const { hash, bytes } of all) await blobs.put(run, hash, bytes)
      await mustPush(remote, run, last(start), named)
      await expectRemote(remote, run, joined(start, named))
    },
  },
  {
    name: 'push() takes nothing after the end of a run',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const ended = joined(start, endAfter(run, last(start)))
      await mustPush(remote, run, undefined, ended)
      await mustPush(remote, run, undefined, ended)
      const { lines } = stepsAfter(run, last(ended), 1)
      await expectPushMoved(remote, run, { base: last(ended), lines }, last(ended), 'a push after the end')
      await expectRemote(remote, run, ended)
    },
  },
]

function hashOf(bytes: Uint8Array): ReturnType<typeof parseDigest> {
  return parseDigest(digestBytes(bytes))
}

/** False for a push that is refused, in whichever way. */
async function isTaken(pushing: Promise<Pushed>): Promise<boolean> {
  return pushing.then(
    ({ ok }) => ok,
    () => false,
  )
}
