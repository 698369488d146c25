import {
  edgeOwner,
  isWaystoneError,
  parseLine,
  type Claim,
  type Head,
  type Remote,
  type RunId,
  type Tail,
} from '@waystone/core'
import type { Case } from './case.ts'
import { expectBytes, expectCode, expectEqual } from './expect.ts'
import { joined, type Chain } from './log-fixtures.ts'
import {
  after,
  atLaptop,
  claimOf,
  endAfter,
  expectPushMoved,
  expectRemote,
  laptop,
  last,
  mustPush,
  phone,
  pullAll,
  startOf,
  stepsAfter,
  type RemoteSubject,
} from './remote-fixtures.ts'

/** Who owns a run, and who may become its owner. */
export const remoteClaimCases: readonly Case<RemoteSubject>[] = [
  {
    name: 'claim() makes a device the owner, in one entry at exactly the head, and the old owner writes no more',
    async run(subject) {
      const { edge, remote: old, run, head } = await begun(subject)
      const { remote: own } = edge.edge(phone)
      const lines = await own.claim(run, claimOf(head))
      const claims = lines.map(parseLine)
      expectEqual(
        claims.map(({ kind, seq, prev, epoch, owner }) => ({ kind, seq, prev, epoch, owner })),
        [{ kind: 'claim', seq: head.seq + 1, prev: head.digest, epoch: 1, owner: phone }],
        'the claim',
      )
      expectBytes(await pullAll(old, run, head.seq + 1, laptop), lines, 'what the old owner pulls')
      const now = headOf(claims)
      const late = stepsAfter(run, head, 1, { from: 3 }).lines
      await expectPushMoved(old, run, { base: head, lines: late }, now, 'a push of the old owner')
      const next = stepsAfter(run, now, 1, { from: 3, owner: phone, epoch: 1, term: claims[0]?.term ?? 0 })
      await mustPush(own, run, now, next)
    },
  },
  {
    name: 'claim() is refused at another head or epoch, and changes nothing',
    async run(subject) {
      const { edge, run, head, log } = await begun(subject)
      const [before] = log.heads
      const { remote: own } = edge.edge(phone)
      await expectCode(own.claim(run, claimOf(before as Head)), 'head_moved', 'a claim at an entry before')
      await expectCode(own.claim(run, claimOf(head, { epoch: 1 })), 'head_moved', 'a claim of another epoch')
      const nowhere = claimOf({ seq: head.seq, digest: (before as Head).digest })
      await expectCode(own.claim(run, nowhere), 'head_moved', 'a claim at a head that nobody has')
      await expectRemote(own, run, log)
    },
  },
  {
    name: 'claim() of one of two at one head is accepted, the other one is told that it moved',
    async run(subject) {
      const { edge, remote, run, head } = await begun(subject)
      const claims = ['phone', 'tablet'].map((name) => claimOf(head, { owner: name as typeof phone }))
      const answers = await Promise.all(
        claims.map((claim) =>
          edge
            .edge(claim.owner)
            .remote.claim(run, claim)
            .then(
              () => 'ok',
              (error: unknown) => (isWaystoneError(error) ? error.code : String(error)),
            ),
        ),
      )
      expectEqual(answers.toSorted(), ['head_moved', 'ok'], 'the answers')
      const [line] = await pullAll(remote, run, head.seq + 1)
      const winner = claims[answers.indexOf('ok')]?.owner
      expectEqual(line && parseLine(line).owner, winner, 'the owner')
    },
  },
  {
    name: 'claim() is refused without a proof of that head, by the owner itself, and while the owner is there',
    async run(subject) {
      const { edge, remote: own, run, head, log } = await begun(subject)
      const { remote } = edge.edge(phone)
      const { proof: _, ...unproven } = claimOf(head)
      await expectCode(remote.claim(run, unproven), 'move_refused', 'a claim without a proof')
      const elsewhere = { head: log.heads[0] as Head, version: 1, rules: 1 }
      const wrong = claimOf(head, { proof: elsewhere })
      await expectCode(remote.claim(run, wrong), 'move_refused', 'a claim with a proof of another head')
      const again = own.claim(run, claimOf(head, { owner: laptop }))
      await expectCode(again, 'move_refused', 'a claim of the owner')
      const early = claimOf(head, { reason: 'expired' })
      await expectCode(remote.claim(run, early), 'move_refused', 'a claim while the owner is there')
      await expectRemote(remote, run, log)
    },
  },
  {
    name: 'claim() of a run that has ended, or is not there, is refused',
    async run(subject) {
      const { edge, remote, run, head, log } = await begun(subject)
      const end = endAfter(run, head)
      await mustPush(remote, run, head, end)
      const other = edge.edge(phone).remote
      await expectCode(other.claim(run, claimOf(last(end))), 'move_refused', 'a claim of an ended run')
      await expectRemote(remote, run, joined(log, end))
      await expectCode(other.claim(edge.newRun(), claimOf(head)), 'run_unknown', 'a claim of an unknown run')
    },
  },
  {
    name: 'blockers() says what keeps a run from the edge, for which claim() refuses it',
    async run(subject) {
      const { edge, remote, run } = await atLaptop(subject)
      const start = startOf(run, { agent: 'nobody-has-this-agent' })
      await mustPush(remote, run, undefined, start)
      const blockers = await remote.blockers(run)
      expectEqual(
        blockers.length > 0 && blockers.every((one) => one.length > 0),
        true,
        'whether there are words',
      )
      const claim = claimOf(last(start), { owner: edgeOwner, place: 'edge', reason: 'moved' })
      await expectCode(remote.claim(run, claim), 'move_refused', 'a claim for the edge')
      await expectRemote(remote, run, start)
      await expectCode(remote.blockers(edge.newRun()), 'run_unknown', 'the blockers of an unknown run')
    },
  },
  {
    name: 'claim() gives a run to the edge and, at the head that hold() gives, back',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      await mustPush(remote, run, undefined, start)
      expectEqual(await remote.blockers(run), [], 'the blockers')
      const there = claimOf(last(start), { owner: edgeOwner, place: 'edge', reason: 'moved' })
      await remote.claim(run, there)
      // Where it ends by now is for the edge to say: it may be at work.
      const late = { base: last(start), lines: stepsAfter(run, last(start), 1).lines }
      const refused = await remote.push(run, late)
      expectEqual(refused.ok || refused.code, 'head_moved', 'the answer to a push while the edge owns it')
      const { head, lines } = await backFrom(remote, run)
      const [claim] = lines.map(parseLine)
      expectEqual(claim?.owner, laptop, 'the owner')
      expectEqual(claim?.epoch, 2, 'the epoch')
      const body = { reason: 'opened', place: 'browser', nonce: 'again', sdk: '0' } as const
      const next = after(run, headOf([claim]), [{ kind: 'open', body }], {
        epoch: 2,
        term: (claim?.term ?? 0) + 1,
      })
      await mustPush(remote, run, headOf([claim]), next)
      expectEqual(next.heads[0]?.seq, head.seq + 2, 'the number of the next entry')
    },
  },
  {
    name: 'hold() of a run that is not there rejects with `run_unknown`',
    async run(subject) {
      const { remote, run } = await atLaptop(subject)
      await expectCode(remote.hold(run, 10), 'run_unknown', 'the hold')
    },
  },
  {
    name: 'claim() stores the last entries of the owner first, whether the edge has them by then or not',
    async run(subject) {
      for (const isPushed of [false, true]) {
        const { remote, run, start } = await atLaptop(subject)
        await mustPush(remote, run, undefined, start)
        const tail = openAfter(run, last(start))
        if (isPushed) await mustPush(remote, run, last(start), tail)
        const claim = toEdge(last(tail), { base: last(start), lines: tail.lines })
        const [line] = await remote.claim(run, claim)
        const entries = (await pullAll(remote, run, 1)).slice(0, 2)
        expectBytes(entries, [...tail.lines, ...(line ? [line] : [])], 'the entry, and the claim after it')
        expectEqual(line && parseLine(line).owner, edgeOwner, 'the owner')
      }
    },
  },
  {
    name: 'claim() with entries that do not follow, or are of somebody else, is refused, and stores none',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      const [first, other] = [openAfter(run, last(start)), openAfter(run, last(start), phone)]
      await mustPush(remote, run, undefined, start)
      const gap = openAfter(run, last(first))
      const late = remote.claim(run, toEdge(last(gap), { base: last(first), lines: gap.lines }))
      await expectCode(late, 'head_moved', 'a claim with a gap before its entries')
      const theirs = toEdge(last(other), { base: last(start), lines: other.lines })
      await expectCode(edge.edge(phone).remote.claim(run, theirs), 'head_moved', 'with entries of no owner')
      await expectRemote(remote, run, start)
    },
  },
  {
    name: 'hold() gives the entries from a number on; without a number, or when there is nothing new, none',
    async run(subject) {
      const { remote, run, head, log } = await begun(subject)
      const held = await remote.hold(run, 0, 2)
      expectEqual(held.head, head, 'the head')
      expectBytes(held.lines, log.lines.slice(2), 'the entries')
      expectEqual((await remote.hold(run, 0)).lines, [], 'the entries without a number')
      expectEqual((await remote.hold(run, 0, head.seq + 1)).lines, [], 'the entries after the last')
    },
  },
]

/** An owner that opens its run again: an entry that no turn has to be replayed for. */
function openAfter(run: RunId, base: Head, owner = laptop): Chain {
  const body = { reason: 'opened', place: 'browser', nonce: `after ${String(base.seq)}`, sdk: '0' } as const
  return after(run, base, [{ kind: 'open', body }], { owner, term: base.seq + 2 })
}

/** The claim of an owner that moves its run to the edge, with its last entries. */
function toEdge(base: Head, tail: Tail): Claim {
  return claimOf(base, { owner: edgeOwner, place: 'edge', reason: 'moved', tail })
}

/** A run of the laptop with a few steps. */
async function begun(subject: () => Promise<RemoteSubject>) {
  const { edge, remote, run, start } = await atLaptop(subject)
  const log = joined(start, stepsAfter(run, last(start), 3))
  await mustPush(remote, run, undefined, log)
  return { edge, remote, run, log, head: last(log) }
}

/** Takes a run back to the laptop. A host that only begins while it is asked to hold moves the head: then once more. */
async function backFrom(remote: Remote, run: RunId): Promise<{ head: Head; lines: readonly Uint8Array[] }> {
  for (let tries = 1; ; tries += 1) {
    const { head } = await remote.hold(run, 5_000)
    try {
      return {
        head,
        lines: await remote.claim(run, claimOf(head, { owner: laptop, epoch: 1, reason: 'moved' })),
      }
    } catch (error) {
      if (tries === 10 || !isWaystoneError(error, 'head_moved')) throw error
    }
  }
}

function headOf([entry]: readonly (
  { readonly seq: number; readonly digest: Head['digest'] } | undefined
)[]): Head {
  if (entry === undefined) throw new Error('expected an entry')
  return { seq: entry.seq, digest: entry.digest }
}
