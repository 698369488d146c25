import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

const counter = defineAgent({
  name: 'counter',
  version: 1,
  initial: (input: { upTo: number }) => ({ ...input, count: 0, seen: [] as number[] }),
  async turn(ctx, state) {
    const add = await ctx.step('add', () => 1)
    state.count += add
    state.seen.push(ctx.turn)
    return state.count < state.upTo ? next() : done({ total: state.count })
  },
})

describe('a run in memory', () => {
  it('goes from its start to its result, turn by turn', async () => {
    const device = testDevice([counter])
    const runtime = await device.open()
    const id = await runtime.start('counter', { upTo: 3 })
    const run = await handleOf(runtime, id)
    expect(await run.result()).toEqual({ total: 3 })
    expect(run.view()?.state).toEqual({ upTo: 3, count: 3, seen: [0, 1, 2] })
    expect(run.entries().map(({ kind }) => kind)).toEqual([
      'start',
      'turn',
      'step',
      'commit',
      'turn',
      'step',
      'commit',
      'turn',
      'step',
      'commit',
    ])
    await runtime.close()
  })

  it('goes on after its host was closed in the middle of a step, and runs no recorded step again', async () => {
    const ran: string[] = []
    let release: () => void = () => undefined
    const agent = defineAgent({
      name: 'two-steps',
      version: 1,
      initial: () => ({ done: [] as string[] }),
      async turn(ctx, state) {
        const first = await ctx.step('first', () => (ran.push('first'), 'a'))
        const second = await ctx.step('second', async () => {
          ran.push('second')
          await new Promise<void>((resolve) => (release = resolve))
          return 'b'
        })
        state.done.push(first, second)
        return done(state.done.length)
      },
    })
    const device = testDevice([agent])
    const before = await device.open()
    const id = await before.start('two-steps', null)
    const watching = await handleOf(before, id)
    await watching.until(({ live }) => live.calls.some(({ path }) => path === '0/second'))
    await before.close()
    release()

    const after = await device.open()
    const run = await handleOf(after, id)
    await run.until(({ live }) => live.calls.some(({ path }) => path === '0/second'))
    release()
    expect(await run.result()).toBe(2)
    expect(ran).toEqual(['first', 'second', 'second'])
    expect(run.view()?.term).toBe(2)
    await after.close()
  })

  it('asks, waits, and records the first answer only', async () => {
    const agent = defineAgent({
      name: 'asker',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const answer = await ctx.ask<string>('which', { question: 'Which?' })
        return done(answer.status === 'answered' ? answer.value : 'nobody')
      },
    })
    const device = testDevice([agent])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('asker', null))
    const view = await run.until(({ asks, status }) => asks.length === 1 && status === 'waiting')
    const ask = view.asks[0]?.ask ?? ''
    const both = await Promise.allSettled([run.answer(ask, 'one'), run.answer(ask, 'two')])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await run.result()).toBe('one')
    await runtime.close()
  })

  it('syncs to the edge, and another device follows', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [counter] })
    const laptop = await testDevice([counter], { edge }).open()
    const phone = await testDevice([counter], { edge, name: 'phone' }).open()
    const id = await laptop.start('counter', { upTo: 4 })
    const run = await handleOf(laptop, id)
    await run.result()
    await run.synced()
    const there = await handleOf(phone, id)
    expect(await there.result()).toEqual({ total: 4 })
    await laptop.close()
    await phone.close()
  })
})
