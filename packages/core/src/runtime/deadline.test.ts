import { describe, expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { defineAgent, done } from '../engine/agent.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { Edge } from '../sync/syncer.ts'

const asker = defineAgent({
  name: 'asker',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    const answer = await ctx.ask<string>('sure', { question: 'Sure?', deadline: '1h' })
    return done(answer.status === 'answered' ? answer.value : answer.status)
  },
})

/** An edge that a cable leads to, which can be pulled. */
function cable(edge: Edge): { readonly edge: Edge; connected: boolean } {
  const wire = { connected: true }
  const through =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (!wire.connected) throw new WaystoneError('unreachable', 'the cable is out')
      return call(...args)
    }
  const { remote } = edge
  return Object.assign(wire, {
    edge: {
      blobs: edge.blobs,
      remote: {
        ...remote,
        push: through(remote.push),
        pull: through(remote.pull),
        follow: (...[run, options]: Parameters<typeof remote.follow>) =>
          remote.follow(run, {
            ...options,
            onEvent: (event) => {
              if (wire.connected) options.onEvent(event)
            },
          }),
      },
    },
  })
}

describe('a question with a deadline', () => {
  it('expires when it is over, in a run that has no edge', async () => {
    let hours = 0
    const clock = { ...testClock, now: () => Date.now() + hours * 3_600_000 }
    const runtime = await testDevice([asker], { clock }).open()
    const run = await handleOf(runtime, await runtime.start('asker', null, {}))
    await run.until(({ asks, status }) => asks.length === 1 && status === 'waiting')
    hours = 2
    await run.send('anything', null)
    expect(await run.result()).toBe('expired')
    await runtime.close()
  })

  it('takes an answer that reached the edge in time, though the device was away until it was over', async () => {
    let hours = 0
    const clock = { ...testClock, now: () => Date.now() + hours * 3_600_000 }
    const edge = memoryEdge({ clock, agents: [asker] })
    const wire = cable(edge)
    const laptop = await testDevice([asker], { clock, edge: wire.edge }).open()
    const run = await handleOf(laptop, await laptop.start('asker', null, {}))
    const { asks } = await run.until(({ status, asks, sync, head }) => {
      return status === 'waiting' && asks.length === 1 && sync.synced?.seq === head.seq
    })
    wire.connected = false
    const phone = await testDevice([asker], { clock, edge, name: 'phone' }).open()
    await (await handleOf(phone, run.id)).answer(asks[0]?.ask ?? '', 'yes, in time')
    hours = 2
    await run.send('anything', null)
    await run.until(({ live }) => live.calls.some(({ waits }) => waits?.for === 'network'))
    wire.connected = true
    expect(await run.result()).toBe('yes, in time')
    await laptop.close()
    await phone.close()
  })
})
