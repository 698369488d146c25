import {
  digestBytes,
  limits,
  parseDigest,
  parseRunId,
  utf8,
  type Digest,
  type Inbox,
  type InboxItem,
  type Json,
} from '@waystone/core'
import type { Case } from './case.ts'
import { expectCode, expectEqual } from './expect.ts'

const run = parseRunId('run-1')

/** The contract of `Inbox`. */
export const inboxCases: readonly Case<Inbox>[] = [
  {
    name: 'list() of an unknown run is empty, remove() of it harmless',
    async run(subject) {
      const inbox = await subject()
      expectEqual(await inbox.list(run), [], 'the items')
      await inbox.remove(run, ['nobody'])
    },
  },
  {
    name: 'list() gives the items of every type as they were put, in order of arrival',
    async run(subject) {
      const inbox = await subject()
      const items: readonly InboxItem[] = [
        message('z', { text: 'ä 語 \ud800', nothing: null, list: [1, [2]] }),
        answer('m', 'ask-1'),
        { ...sent('a'), type: 'interrupt' },
        { ...sent('y'), type: 'cancel', reason: 'enough' },
        { ...sent('b'), type: 'retry' },
        { ...sent('c'), type: 'decide', start: digestOf('start'), decision: { type: 'done', value: 1 } },
      ]
      for (const item of items) expectEqual(await inbox.put(run, item), 'added', 'the answer to a put')
      expectEqual(await inbox.list(run), items, 'the items')
    },
  },
  {
    name: 'list() gives an item that is larger than any that goes to an edge, as a way back with its state may be',
    async run(subject) {
      const inbox = await subject()
      const state: Json = { text: 'x'.repeat(4 * limits.inboxItemBytesMax) }
      const item: InboxItem = { ...sent('a'), type: 'rewind', seq: 1, state }
      expectEqual(await inbox.put(run, item), 'added', 'the answer to a put')
      expectEqual(await inbox.list(run), [item], 'the items')
    },
  },
  {
    name: 'put() knows an id that waits and keeps the first item',
    async run(subject) {
      const inbox = await subject()
      expectEqual(await inbox.put(run, message('a', 1)), 'added', 'the first put')
      expectEqual(await inbox.put(run, message('a', 1)), 'known', 'the same item')
      expectEqual(await inbox.put(run, message('a', 2)), 'known', 'another item with its id')
      expectEqual(await inbox.list(run), [message('a', 1)], 'the items')
    },
  },
  {
    name: 'put() takes one answer to an ask, and says so to the second',
    async run(subject) {
      const inbox = await subject()
      const puts = ['a', 'b'].map((id) => inbox.put(run, answer(id, 'ask-1')))
      expectEqual((await Promise.all(puts)).sort(), ['added', 'taken'], 'two answers at once')
      const [first] = await inbox.list(run)
      expectEqual(await inbox.put(run, first as InboxItem), 'known', 'the first answer again')
      expectEqual(await inbox.put(run, answer('c', 'ask-2')), 'added', 'an answer to another ask')
      expectEqual((await inbox.list(run)).length, 2, 'how many wait')
      await inbox.remove(run, [first?.id ?? ''])
      expectEqual(
        await inbox.put(run, answer('d', 'ask-1')),
        'added',
        'an answer after the first is consumed',
      )
    },
  },
  {
    name: 'put() adds exactly one of many with one id',
    async run(subject) {
      const inbox = await subject()
      const puts = await Promise.all(Array.from({ length: 10 }, () => inbox.put(run, message('a', 1))))
      expectEqual(puts.filter((put) => put === 'added').length, 1, 'how many were added')
      expectEqual(await inbox.list(run), [message('a', 1)], 'the items')
    },
  },
  {
    name: 'remove() forgets the items that it names and no others',
    async run(subject) {
      const inbox = await subject()
      for (const id of ['a', 'b', 'c', 'd']) await inbox.put(run, message(id, id))
      await inbox.remove(run, ['b', 'nobody', 'd'])
      expectEqual(await inbox.list(run), [message('a', 'a'), message('c', 'c')], 'the items')
      expectEqual(await inbox.put(run, message('b', 'again')), 'added', 'an id that was removed')
      expectEqual(
        (await inbox.list(run)).map(({ id }) => id),
        ['a', 'c', 'b'],
        'the order',
      )
    },
  },
  {
    name: 'inboxes of runs are apart',
    async run(subject) {
      const inbox = await subject()
      const other = parseRunId('run-10')
      await inbox.put(run, answer('a', 'ask'))
      expectEqual(await inbox.put(other, answer('a', 'ask')), 'added', 'the same item for another run')
      await inbox.remove(other, ['a'])
      expectEqual(await inbox.list(run), [answer('a', 'ask')], 'the items')
      expectEqual(await inbox.list(other), [], 'the items of the other')
    },
  },
  {
    name: 'put() refuses more messages than may wait, and leaves room for answers and what steers a run',
    async run(subject) {
      const inbox = await subject()
      const ids = Array.from({ length: limits.inboxItemsMax }, (_, index) => String(index))
      await Promise.all(ids.map((id) => inbox.put(run, message(id, 1))))
      await expectCode(inbox.put(run, message('more', 1)), 'limit_exceeded', 'one item more')
      expectEqual(await inbox.put(run, message('0', 1)), 'known', 'an item that waits')
      expectEqual(
        (await inbox.list(run)).map(({ id }) => id),
        ids,
        'the items',
      )
      expectEqual(await inbox.put(parseRunId('run-2'), message('a', 1)), 'added', 'an item of another run')
      // Answers, and what steers a run or ends it, find room also then.
      expectEqual(await inbox.put(run, answer('a', 'ask')), 'added', 'an answer')
      const cancel = (id: string): InboxItem => ({ type: 'cancel', reason: 'flooded', ...sent(id) })
      const spare = Array.from({ length: limits.inboxItemsSpare - 1 }, (_, index) => `spare-${String(index)}`)
      await Promise.all(spare.map((id) => inbox.put(run, cancel(id))))
      await expectCode(inbox.put(run, cancel('last')), 'limit_exceeded', 'one command more')
    },
  },
  {
    name: 'put() refuses more bytes of messages than may wait, and takes them once there is room',
    async run(subject) {
      const inbox = await subject()
      const text = '\u20ac'.repeat(Math.floor((limits.inboxItemBytesMax - 200) / 3))
      const bytes = utf8(JSON.stringify(message('000', text))).byteLength
      const fitting = Math.floor(limits.inboxBytesMax / bytes)
      const ids = Array.from({ length: fitting }, (_, index) => String(index).padStart(3, '0'))
      for (const id of ids) expectEqual(await inbox.put(run, message(id, text)), 'added', `item ${id}`)
      await expectCode(inbox.put(run, message('more', text)), 'limit_exceeded', 'one item more')
      expectEqual((await inbox.list(run)).length, fitting, 'the items that wait')
      await inbox.remove(run, ids.slice(0, 2))
      expectEqual(await inbox.put(run, message('more', text)), 'added', 'an item for which there is room')
    },
  },
]

function sent(id: string): Pick<InboxItem, 'id' | 'time' | 'by'> {
  return { id, time: 1_800_000_000_000, by: 'device-2' }
}

function message(id: string, value: Json): InboxItem {
  return { ...sent(id), type: 'message', name: 'remark', value }
}

function answer(id: string, ask: string): InboxItem {
  return { ...sent(id), type: 'answer', ask: digestOf(ask), value: { by: id } }
}

function digestOf(text: string): Digest {
  return parseDigest(digestBytes(utf8(text)))
}
