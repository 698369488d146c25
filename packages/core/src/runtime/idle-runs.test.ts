import { describe, expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import type { RunHandle } from './run-handle.ts'
import type { Edge } from '../sync/syncer.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'

const asking = defineAgent({
  name: 'asking',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    await ctx.ask('which', { question: 'Which?' })
    return done('the end')
  },
})

/** Starts a child, asks a question, and joins the child when that is answered. */
const parent = defineAgent({
  name: 'parent',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    const child = await ctx.spawn('child', asking, null as never)
    await ctx.ask('go on', { question: 'Go on?' })
    return done(await ctx.join(child))
  },
})

/** An edge that counts who follows a run there, and can be out of reach. */
function countedEdge() {
  const { remote, blobs } = memoryEdge({ clock: testClock, agents: [asking] })
  const count = { following: 0 }
  const cut = new Set<string>()
  const push: Edge['remote']['push'] = async (run, ...args) => {
    if (cut.has(run)) throw new WaystoneError('unreachable', 'the network is cut')
    return remote.push(run, ...args)
  }
  const follow: Edge['remote']['follow'] = (run, options) => {
    const following = remote.follow(run, options)
    count.following += 1
    const close = (): void => {
      count.following -= 1
      following.close()
    }
    return { ...following, close }
  }
  const edge: Edge = { remote: { ...remote, push, follow }, blobs }
  return { edge, count, cut }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await testClock.task()
}

/** Answers the first question of a run. */
async function answer(run: RunHandle): Promise<void> {
  const { asks } = await run.until((view) => view.asks.length > 0)
  await run.answer(String(asks[0]?.ask), 'yes')
}

describe('a run that is over', () => {
  it('is no longer in memory when nobody watches it and the edge has it, and opens again as it was', async () => {
    const { edge, count } = countedEdge()
    const runtime = await testDevice([asking], { edge, clock: hastyClock }).open()
    const run = await handleOf(runtime, await runtime.start('asking', null, { id: 'run' }))
    await answer(run)
    expect(await run.result()).toBe('the end')
    await run.close()
    await until(() => count.following === 0)
    const again = await handleOf(runtime, 'run')
    expect(count.following).toBe(1)
    expect(await again.result()).toBe('the end')
    await expect(again.send('word', 'late')).rejects.toMatchObject({ code: 'run_ended' })
    await again.close()
    await until(() => count.following === 0)
    expect(
      await (await handleOf(runtime, await runtime.fork('run' as never, { seq: 0 }))).view()?.status,
    ).toBe('running')
    await runtime.close()
  })

  it('stays while somebody watches it, or the edge lacks the end of it', async () => {
    const { edge, count, cut } = countedEdge()
    const runtime = await testDevice([asking], { edge, clock: hastyClock }).open()
    const watched = await handleOf(runtime, await runtime.start('asking', null, { id: 'watched' }))
    await answer(watched)
    await watched.synced()
    cut.add('lacking')
    const lacking = await handleOf(runtime, await runtime.start('asking', null, { id: 'lacking' }))
    const later = await handleOf(runtime, await runtime.start('asking', null, { id: 'later' }))
    for (const run of [lacking, later]) {
      await answer(run)
      await run.result()
      await run.close()
    }
    await until(() => count.following === 2)
    cut.clear()
    await until(() => count.following === 1)
    await watched.close()
    await until(() => count.following === 0)
    await runtime.close()
  })

  it('gives its end to a parent that asks for it later', async () => {
    const { edge, count } = countedEdge()
    const runtime = await testDevice([parent, asking], { edge, clock: hastyClock }).open()
    const run = await handleOf(runtime, await runtime.start('parent', null, { id: 'run' }))
    await run.until(({ asks }) => asks.length > 0)
    const [child] = (await runtime.runs()).filter(({ agent }) => agent === 'asking')
    const opened = await handleOf(runtime, String(child?.run))
    await answer(opened)
    await opened.result()
    await opened.close()
    await until(() => count.following === 1)
    await answer(run)
    expect(await run.result()).toBe('the end')
    await runtime.close()
  })
})
