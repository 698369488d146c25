import { parseDigest, type Digest, type InboxItem, type Live } from '@waystone/core'
import { blobOf, listOf } from './blobs-fixtures.ts'
import type { Case } from './case.ts'
import { expectBytes, expectCode, expectEqual } from './expect.ts'
import { joined } from './log-fixtures.ts'
import {
  after,
  atLaptop,
  claimOf,
  endAfter,
  expectItems,
  expectRemote,
  following,
  laptop,
  last,
  messageOf,
  mustPush,
  phone,
  startOf,
  stepsAfter,
  type RemoteSubject,
} from './remote-fixtures.ts'

/** Inboxes, live connections, blobs, and networks that fail. */
export const remoteLiveCases: readonly Case<RemoteSubject>[] = [
  {
    name: 'send() puts an item into the inbox once, however often it is sent, and pull() gives it to the owner alone',
    async run(subject) {
      const { edge, remote: own, run, start } = await atLaptop(subject)
      const { remote: other } = edge.edge(phone)
      await mustPush(own, run, undefined, start)
      const items = [messageOf('b'), messageOf('a', 'ä 語 🜚')]
      for (const item of items) for (const remote of [own, other]) await remote.send(run, item)
      expectItems((await own.pull(run, 1, laptop)).inbox, items, 'what the owner pulls')
      expectEqual((await other.pull(run, 1, phone)).inbox, [], 'what another device pulls')
    },
  },
  {
    name: 'an item that an entry has consumed waits no more, and sending it again is harmless',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const turn = stepsAfter(run, last(start), 0)
      const body = { path: '0/remark', name: 'remark', id: 'a', value: 'a', by: phone }
      const received = after(run, last(turn), [{ kind: 'receive', body }])
      await mustPush(remote, run, undefined, joined(start, turn))
      await remote.send(run, messageOf('a'))
      await remote.send(run, messageOf('b'))
      await mustPush(remote, run, last(turn), received)
      await remote.send(run, messageOf('a'))
      expectItems((await remote.pull(run, 0, laptop)).inbox, [messageOf('b')], 'what waits')
    },
  },
  {
    name: 'send() refuses an answer to a question that is not open, and the second answer to one that is',
    async run(subject) {
      const { remote, run, start } = await atLaptop(subject)
      const turn = stepsAfter(run, last(start), 0)
      const zero = parseDigest('0'.repeat(64))
      const ask = after(run, last(turn), [
        { kind: 'ask', body: { path: '0/go', input: zero, question: 'Go on?' } },
      ])
      await mustPush(remote, run, undefined, joined(start, turn, ask))
      await expectCode(
        remote.send(run, answerOf('a', zero)),
        'ask_unknown',
        'an answer to an unknown question',
      )
      await remote.send(run, answerOf('b', last(ask).digest))
      await remote.send(run, answerOf('b', last(ask).digest))
      await expectCode(remote.send(run, answerOf('c', last(ask).digest)), 'answer_taken', 'the second answer')
      const { inbox } = await remote.pull(run, 0, laptop)
      expectItems(inbox, [answerOf('b', last(ask).digest)], 'what waits')
    },
  },
  {
    name: 'send() to a run that has ended or is not there is refused',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      await mustPush(remote, run, undefined, joined(start, endAfter(run, last(start))))
      await expectCode(remote.send(run, messageOf('a')), 'run_ended', 'an item for an ended run')
      await expectCode(
        remote.send(edge.newRun(), messageOf('a')),
        'run_unknown',
        'an item for an unknown run',
      )
    },
  },
  {
    name: 'follow() brings the entries from a position on, those that are there and those that come, in order',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      const first = joined(start, stepsAfter(run, last(start), 3))
      await mustPush(remote, run, undefined, first)
      const follower = following(edge.edge(phone).remote, run, phone, 2)
      await follower.until(() => follower.states.includes(true) && follower.lines.length === 3)
      const second = stepsAfter(run, last(first), 2, { from: 3 })
      await mustPush(remote, run, last(first), second)
      await follower.until(() => follower.lines.length === 5)
      follower.close()
      expectBytes(follower.lines, joined(first, second).lines.slice(2), 'the entries that came')
    },
  },
  {
    name: 'follow() tells an owner that something waits, and others what the owner tells',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      await mustPush(remote, run, undefined, start)
      const owner = following(remote, run, laptop)
      const follower = following(edge.edge(phone).remote, run, phone)
      await owner.until(() => owner.states.includes(true) && owner.lines.length === 1)
      await follower.until(() => follower.states.includes(true) && follower.lines.length === 1)
      const live: Live = { phase: 'running', calls: [{ path: '0/step', kind: 'step', since: 5 }] }
      owner.tell({ type: 'live', live })
      await follower.until(() =>
        follower.events.some((event) => event.type === 'live' && event.live.phase === 'running'),
      )
      const told = follower.events.findLast((event) => event.type === 'live')
      expectEqual(told, { type: 'live', live }, 'what the owner told')
      await edge.edge(phone).remote.send(run, messageOf('a'))
      await owner.until(() => owner.events.some(({ type }) => type === 'inbox'))
      owner.close()
      follower.close()
    },
  },
  {
    name: 'follow() tells the old owner of the claim of another device',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      await mustPush(remote, run, undefined, start)
      const owner = following(remote, run, laptop, 1)
      await owner.until(() => owner.states.includes(true))
      const lines = await edge.edge(phone).remote.claim(run, claimOf(last(start)))
      await owner.until(() => owner.lines.length === 1)
      owner.close()
      expectBytes(owner.lines, lines, 'what came')
    },
  },
  {
    name: 'follow() is silent once it was closed',
    async run(subject) {
      const { edge, remote, run, start } = await atLaptop(subject)
      await mustPush(remote, run, undefined, start)
      const [closed, open] = [phone, phone].map((as) => following(edge.edge(as).remote, run, as, 1))
      if (closed === undefined || open === undefined) return
      await closed.until(() => closed.states.includes(true))
      await open.until(() => open.states.includes(true))
      closed.close()
      const heard = closed.events.length
      await mustPush(remote, run, last(start), stepsAfter(run, last(start), 3))
      await open.until(() => open.lines.length === 4)
      open.close()
      closed.close()
      expectEqual(closed.events.length, heard, 'what came after it was closed')
    },
  },
  {
    name: 'follow() of many runs by one device brings each its own, also when some are left and come back',
    async run(subject) {
      const { edge, remote } = await atLaptop(subject)
      const { remote: there } = edge.edge(phone)
      const logs = Array.from({ length: 12 }, (_, at) => {
        const run = edge.newRun()
        const start = startOf(run)
        return { run, start, turn: stepsAfter(run, last(start), 1 + (at % 3)), leaves: at % 2 === 0 }
      })
      await Promise.all(logs.map(({ run, start }) => mustPush(remote, run, undefined, start)))
      const first = logs.map((log) => ({ ...log, follower: following(there, log.run, phone) }))
      await Promise.all(first.map(({ follower }) => follower.until(() => follower.lines.length === 1)))
      const left = first.filter(({ leaves }) => leaves)
      for (const { follower } of left) follower.close()
      await Promise.all(logs.map(({ run, start, turn }) => mustPush(remote, run, last(start), turn)))
      for (const { run, start, turn, leaves, follower: before } of first) {
        const follower = leaves ? following(there, run, phone) : before
        const whole = joined(start, turn)
        await follower.until(() => follower.lines.length === whole.lines.length)
        follower.close()
        expectBytes(follower.lines, whole.lines, 'what came of a run')
      }
      for (const { follower } of left) expectEqual(follower.lines.length, 1, 'what came to one that had left')
    },
  },
  {
    name: 'without a network every call rejects with `unreachable`, and follow() says so',
    async run(subject) {
      const { edge, remote: up, run, start } = await atLaptop(subject)
      await mustPush(up, run, undefined, start)
      const { remote, blobs } = edge.edge(laptop, 'down')
      const { hash, bytes } = blobOf(10)
      const calls: Readonly<Record<string, () => Promise<unknown>>> = {
        push: () => remote.push(run, { base: undefined, lines: start.lines }),
        pull: () => remote.pull(run, 0, laptop),
        claim: () => remote.claim(run, claimOf(last(start))),
        hold: () => remote.hold(run, 1),
        blockers: () => remote.blockers(run),
        send: () => remote.send(run, messageOf('a')),
        put: () => blobs.put(run, hash, bytes),
        get: () => blobs.get(run, hash),
        missing: () => blobs.missing(run, [hash]),
        share: () => blobs.share(run, edge.newRun(), [hash]),
      }
      for (const [name, call] of Object.entries(calls)) await expectCode(call(), 'unreachable', `${name}()`)
      const follower = following(remote, run, laptop)
      await follower.until(() => follower.states.length > 0)
      follower.close()
      expectEqual(follower.states[0], false, 'whether it is connected')
    },
  },
  {
    name: 'what was done although its answer was lost is found, and doing it again is harmless',
    async run(subject) {
      const { edge, remote: own, blobs, run, start } = await atLaptop(subject)
      const [up, lossy] = [edge.edge(phone).remote, edge.edge(phone, 'answers lost')]
      const push = edge.edge(laptop, 'answers lost').remote.push(run, { base: undefined, lines: start.lines })
      await expectCode(push, 'unreachable', 'a push without an answer')
      await mustPush(own, run, undefined, start)
      await expectRemote(up, run, start)
      await expectCode(lossy.remote.send(run, messageOf('a')), 'unreachable', 'an item without an answer')
      await up.send(run, messageOf('a'))
      expectEqual((await own.pull(run, 1, laptop)).inbox.length, 1, 'how many items wait')
      const { hash, bytes } = blobOf(100)
      await expectCode(lossy.blobs.put(run, hash, bytes), 'unreachable', 'a blob without an answer')
      await edge.edge(phone).blobs.put(run, hash, bytes)
      expectBytes(listOf(await blobs.get(run, hash)), [bytes], 'the blob')
      await expectCode(
        lossy.remote.claim(run, claimOf(last(start))),
        'unreachable',
        'a claim without an answer',
      )
      const { head, lines } = await up.pull(run, 1, phone)
      expectEqual([head?.seq, lines.length], [1, 1], 'the head and the claim')
      await expectCode(up.claim(run, claimOf(last(start))), 'head_moved', 'the claim again')
    },
  },
  {
    name: 'blobs of an edge are given back, missed and shared by run',
    async run(subject) {
      const { edge, blobs, run } = await atLaptop(subject)
      const fork = edge.newRun()
      const some = [0, 1, 65_536, 1_000_000].map((size) => blobOf(size))
      const absent = blobOf(7, 9)
      for (const { hash, bytes } of some) await blobs.put(run, hash, bytes)
      for (const { hash, bytes } of some) {
        expectBytes(listOf(await edge.edge(phone).blobs.get(run, hash)), [bytes], 'a blob')
        expectEqual(await blobs.get(fork, hash), undefined, 'a blob of another run')
      }
      const hashes = [absent, ...some].map(({ hash }) => hash)
      expectEqual(await blobs.missing(run, hashes), [absent.hash], 'what is missing')
      expectEqual(await blobs.missing(fork, hashes), hashes, 'what another run misses')
      expectEqual(await blobs.share(run, fork, hashes), [absent.hash], 'what neither has')
      for (const { hash, bytes } of some)
        expectBytes(listOf(await blobs.get(fork, hash)), [bytes], 'a shared blob')
    },
  },
]

function answerOf(id: string, ask: Digest): InboxItem {
  return { id, time: 1_800_000_000_000, by: phone, type: 'answer', ask, value: id }
}
