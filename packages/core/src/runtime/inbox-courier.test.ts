import { describe, expect, it } from 'vitest'
import { WaystoneError, type ErrorCode } from '../errors.ts'
import type { OwnerId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Fold } from '../log/fold.ts'
import { run } from '../log/log.test-support.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { InboxItem } from '../ports/inbox.ts'
import type { Edge } from '../sync/syncer.ts'
import { InboxCourier } from './inbox-courier.ts'

const item = (id: string): InboxItem => ({ type: 'message', name: 'news', value: id, id, by: 'me', time: 0 })

/** A courier of a device whose run is at the edge, which takes items or refuses them with a code. */
function courierOf(refuses: Partial<Record<string, ErrorCode>> = {}) {
  const { inbox } = memoryStorage()
  const arrived: string[] = []
  const state = { owner: 'edge', status: 'running', consumed: new Set<string>(), seq: 10, synced: 10 }
  const remote = {
    async send(_: unknown, { id }: InboxItem) {
      const code = refuses[id]
      if (code) throw new WaystoneError(code, `the edge says ${code}`)
      arrived.push(id)
    },
  }
  const edge = { remote } as unknown as Edge
  const courier = new InboxCourier(run, {
    me: 'laptop' as OwnerId,
    inbox,
    edge,
    fold: () => ({ ...state, head: { seq: state.seq } }) as unknown as Fold,
    synced: () => state.synced,
    forOwner: (one) => Promise.resolve(one),
  })
  const left = async (): Promise<readonly string[]> => (await inbox.list(run)).map(({ id }) => id)
  return { courier, edge, inbox, arrived, state, left }
}

describe('a courier', () => {
  it('sends each item on once, in order, and keeps it until it was consumed', async () => {
    const { courier, inbox, arrived, state, left } = courierOf()
    for (const id of ['a', 'b']) await inbox.put(run, item(id))
    await courier.forward()
    await courier.forward()
    expect(arrived).toEqual(['a', 'b'])
    expect(await left()).toEqual(['a', 'b'])
    state.consumed.add('a')
    await courier.forward()
    expect(await left()).toEqual(['b'])
  })

  it('gives what it sends its place behind what was taken here before', async () => {
    const { courier, edge, inbox, arrived, left } = courierOf()
    await inbox.put(run, item('a'))
    await courier.send(edge, item('b'))
    expect(arrived).toEqual(['a', 'b'])
    expect(await left()).toEqual(['a', 'b'])
  })

  it('keeps nothing of what the edge has not taken', async () => {
    const { courier, edge, left } = courierOf({ a: 'unreachable' })
    await expect(courier.send(edge, item('a'))).rejects.toMatchObject({ code: 'unreachable' })
    expect(await left()).toEqual([])
  })

  it('keeps what was consumed until the edge has that entry, and what was set aside for the next one', async () => {
    const { courier, inbox, state, left } = courierOf()
    state.owner = 'laptop'
    for (const id of ['a', 'b']) await inbox.put(run, item(id))
    courier.consumed(['a'], 11)
    courier.consumed(['b'], 12)
    state.synced = 11
    courier.synced()
    expect(await left()).toEqual(['b'])
    courier.replaced(11)
    state.synced = 20
    courier.synced()
    expect(await left()).toEqual(['b'])
  })

  it('forgets what was consumed with the entry that did it, however often that is found', async () => {
    const { courier, inbox, state, left } = courierOf()
    state.owner = 'laptop'
    await inbox.put(run, item('a'))
    courier.consumed(['a'], 11)
    courier.consumed(['a'], 20)
    state.synced = 11
    courier.synced()
    expect(await left()).toEqual([])
  })

  it('sends again what it has sent to an edge that has another log by now', async () => {
    const { courier, inbox, arrived } = courierOf()
    await inbox.put(run, item('a'))
    await courier.forward()
    courier.replaced(3)
    await courier.forward()
    expect(arrived).toEqual(['a', 'a'])
  })

  it('leaves at the edge what there is no room for here', async () => {
    const { courier, edge, inbox, left } = courierOf()
    for (let count = 0; count < limits.inboxItemsMax; count += 1) await inbox.put(run, item(String(count)))
    const pull = (): Promise<unknown> => Promise.resolve({ lines: [], inbox: [item('late')] })
    Object.assign(edge.remote, { pull })
    await courier.pull(11)
    expect(await left()).toHaveLength(limits.inboxItemsMax)
  })

  it('sends nothing on once the run is here again', async () => {
    const { courier, inbox, arrived, state, left } = courierOf()
    await inbox.put(run, item('a'))
    state.owner = 'laptop'
    await courier.forward()
    expect(arrived).toEqual([])
    expect(await left()).toEqual(['a'])
  })

  it.for(['answer_taken', 'ask_unknown', 'run_ended', 'run_deleted'] as const)(
    'forgets what nobody has a use for: %s',
    async (code) => {
      const { courier, inbox, arrived, left } = courierOf({ a: code })
      for (const id of ['a', 'b']) await inbox.put(run, item(id))
      await courier.forward()
      expect(arrived).toEqual(['b'])
      expect(await left()).toEqual(['b'])
    },
  )

  it.for(['too_large', 'request_refused', 'forbidden'] as const)(
    'keeps what the edge never takes, should the run come back, and sends on the rest: %s',
    async (code) => {
      const { courier, inbox, arrived, left } = courierOf({ a: code })
      for (const id of ['a', 'b']) await inbox.put(run, item(id))
      await courier.forward()
      expect(arrived).toEqual(['b'])
      expect(await left()).toEqual(['a', 'b'])
    },
  )

  it.for(['unreachable', 'limit_exceeded', 'unauthorized'] as const)(
    'lets nothing overtake what the edge cannot take now: %s',
    async (code) => {
      const { courier, edge, inbox, arrived, left } = courierOf({ a: code })
      await inbox.put(run, item('a'))
      await expect(courier.send(edge, item('b'))).rejects.toMatchObject({ code })
      expect(arrived).toEqual([])
      expect(await left()).toEqual(['a'])
    },
  )

  it('gives what it has sent its place later when that cannot be stored now', async () => {
    const { courier, edge, inbox, left } = courierOf()
    const { put } = inbox
    inbox.put = () => Promise.reject(new WaystoneError('storage_failed', 'the disk fails'))
    expect(await courier.send(edge, item('a'))).toBe(true)
    await expect(courier.settle()).rejects.toMatchObject({ code: 'storage_failed' })
    inbox.put = put
    await courier.settle()
    expect(await left()).toEqual(['a'])
  })

  it('sends nothing past what stays here, when the run comes back in between', async () => {
    const { courier, edge, inbox, arrived, state } = courierOf()
    await inbox.put(run, item('a'))
    const sending = courier.send(edge, item('b'))
    state.owner = 'laptop'
    expect(await sending).toBe(false)
    expect(arrived).toEqual([])
  })

  it('has what came to the edge in its order there, and what is here alone where it stood', async () => {
    const { courier, inbox } = courierOf()
    const ids = async (): Promise<readonly string[]> =>
      courier.inOrder(await inbox.list(run)).map(({ id }) => id)
    for (const id of ['alone', 'c', 'also alone', 'gone']) await inbox.put(run, item(id))
    expect(await ids()).toEqual(['alone', 'c', 'also alone', 'gone'])
    await courier.take(['a', 'b', 'c', 'd'].map(item))
    expect(await ids()).toEqual(['alone', 'a', 'b', 'c', 'also alone', 'gone', 'd'])
    await inbox.remove(run, ['a', 'c'])
    await inbox.put(run, item('later'))
    expect(await ids()).toEqual(['alone', 'also alone', 'gone', 'b', 'd', 'later'])
  })

  it('forgets what a run has not read that ended elsewhere', async () => {
    const { courier, inbox, state, left } = courierOf()
    await inbox.put(run, item('a'))
    state.status = 'done'
    await courier.forward()
    expect(await left()).toEqual([])
  })
})
