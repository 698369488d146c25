import {
  edgeOwner,
  isWaystoneError,
  parseLine,
  type Head,
  type Remote,
  type RunId,
  type Successor,
} from '@waystone/core'
import type { Case } from './case.ts'
import { expectBytes, expectCode, expectEqual } from './expect.ts'
import { joined } from './log-fixtures.ts'
import {
  atLaptop,
  claimOf,
  expectRemote,
  following,
  laptop,
  last,
  mustPush,
  phone,
  pullAll,
  stepsAfter,
  type RemoteSubject,
} from './remote-fixtures.ts'

/** How long the owner of these runs is given to stand still, in ms: longer than any network takes. */
const drainMs = 15_000

/** How a run comes to a device that asks its owner for it. */
export const remoteHandOverCases: readonly Case<RemoteSubject>[] = [
  {
    name: 'hold() gives a run that the edge owns to a successor that has proved its head, the claim last',
    async run(subject) {
      const { edge, remote: own, run, start } = await atLaptop(subject)
      await mustPush(own, run, undefined, start)
      await own.claim(run, claimOf(last(start), { owner: edgeOwner, place: 'edge', reason: 'moved' }))
      const { remote } = edge.edge(phone)
      const lines = await takenFrom(remote, run)
      const claim = lines.map(parseLine).at(-1)
      expectEqual(
        [claim?.kind, claim?.owner, claim?.epoch],
        ['claim', phone, 2],
        'the last entry, its owner and its epoch',
      )
      expectBytes((await pullAll(own, run, claim?.seq ?? 0)).slice(-1), lines.slice(-1), 'what others pull')
    },
  },
  {
    name: 'hold() does not give a run to a successor whose proof leaves out what was added',
    async run(subject) {
      const { edge, remote: own, run, start } = await atLaptop(subject)
      await mustPush(own, run, undefined, start)
      await own.claim(run, claimOf(last(start), { owner: edgeOwner, place: 'edge', reason: 'moved' }))
      const { remote } = edge.edge(phone)
      // The edge asks its question: an entry behind the start that no outcome is.
      const asked = following(remote, run, phone)
      await asked.until(() => asked.lines.some((line) => parseLine(line).kind === 'ask'))
      asked.close()
      const held = await remote.hold(run, drainMs, 1, successorOf(last(start)))
      expectEqual(
        held.lines.map(parseLine).filter(({ owner }) => owner === phone),
        [],
        'entries of the phone',
      )
    },
  },
  {
    name: 'hold() asks an owner elsewhere to hand its run over, and gives what that has claimed for who asks',
    async run(subject) {
      const { edge, remote: own, run, log, head } = await worked(subject)
      const owner = following(own, run, laptop)
      await owner.until(() => owner.states.includes(true) && owner.lines.length === log.lines.length)
      const { remote } = edge.edge(phone)
      const holding = remote.hold(run, drainMs, head.seq + 1, successorOf(head))
      await owner.until(() => owner.events.some(({ type }) => type === 'wanted'))
      const wanted = owner.events.find((event) => event.type === 'wanted')
      expectEqual(wanted, { type: 'wanted', by: successorOf(head), ms: drainMs }, 'what the owner is asked')
      // With its last entry, which the edge has not got yet.
      const tail = stepsAfter(run, head, 1, { from: 3 })
      const { proof: _, ...unproven } = claimOf(last(tail), { reason: 'moved' })
      const claimed = await own.claim(run, { ...unproven, tail: { base: head, lines: tail.lines } })
      const { lines } = await holding
      owner.close()
      expectBytes(lines, [...tail.lines, ...claimed], 'what who asks is told')
      expectEqual(
        claimed.map(parseLine).map(({ owner: now }) => now),
        [phone],
        'the owner',
      )
      expectBytes(await pullAll(remote, run), [...log.lines, ...lines], 'what everybody pulls')
    },
  },
  {
    name: 'claim() for another device is for the owner alone, and for one that has asked alone',
    async run(subject) {
      const { edge, remote: own, run, log, head } = await worked(subject)
      const forPhone = claimOf(head, { reason: 'moved' })
      await expectCode(own.claim(run, forPhone), 'forbidden', 'a claim for who has not asked')
      await expectCode(edge.edge(tablet).remote.claim(run, forPhone), 'forbidden', 'a claim of a third')
      await expectRemote(own, run, log)
    },
  },
  {
    name: 'claim() at a head where the owner says that it stands still needs no force',
    async run(subject) {
      const { edge, remote: own, run, log, head } = await worked(subject)
      const owner = following(own, run, laptop)
      await owner.until(() => owner.states.includes(true) && owner.lines.length === log.lines.length)
      const { remote } = edge.edge(phone)
      const early = remote.claim(run, claimOf(head, { reason: 'moved' }))
      await expectCode(early, 'move_refused', 'a claim before it stands still')
      const holding = remote.hold(run, drainMs, head.seq + 1, successorOf(log.heads[0] as Head))
      await owner.until(() => owner.events.some(({ type }) => type === 'wanted'))
      owner.tell({ type: 'held', head })
      expectEqual(await holding, { head, lines: [] }, 'where it stands still')
      const [line] = await remote.claim(run, claimOf(head, { reason: 'moved' }))
      owner.close()
      expectEqual(line && parseLine(line).owner, phone, 'the owner')
    },
  },
  {
    name: 'hold() answers at once when the owner, a device, is not connected',
    async run(subject) {
      const { edge, run, head } = await worked(subject)
      const held = await edge.edge(phone).remote.hold(run, drainMs, head.seq + 1, successorOf(head))
      expectEqual(held, { head, lines: [] }, 'where the run is')
    },
  },
]

const tablet = 'tablet' as typeof phone

function successorOf(head: Head): Successor {
  return { owner: phone, place: 'browser', proof: { head, version: 1, rules: 1 } }
}

/** A run of the laptop with a few steps. */
async function worked(subject: () => Promise<RemoteSubject>) {
  const { edge, remote, run, start } = await atLaptop(subject)
  const log = joined(start, stepsAfter(run, last(start), 3))
  await mustPush(remote, run, undefined, log)
  return { edge, remote, run, log, head: last(log) }
}

/** Takes a run of the edge. A host that only begins while it is asked moves the head: then once more. */
async function takenFrom(remote: Remote, run: RunId): Promise<readonly Uint8Array[]> {
  for (let tries = 1; ; tries += 1) {
    const { head } = await remote.hold(run, drainMs)
    try {
      const { lines } = await remote.hold(run, drainMs, head.seq + 1, successorOf(head))
      if (lines.length > 0 || tries === 10) return lines
    } catch (error) {
      if (tries === 10 || !isWaystoneError(error, 'head_moved')) throw error
    }
  }
}
