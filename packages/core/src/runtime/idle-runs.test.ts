import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../ports/clock.ts'
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

/** An edge that counts who follows a run there, and can be out of reach; `plain` is the same for somebody else. */
function countedEdge() {
  const plain = memoryEdge({ clock: testClock, agents: [asking], ownerAlive: () => false })
  const { remote, blobs } = plain
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
  return { edge, plain, count, cut }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await testClock.task()
}

/** Answers the first question of a run. */
async function answer(run: RunHandle): Promise<void> {
  const { asks } = await run.until((view) => view.asks.length > 0)
  await run.answer(String(asks[0]?.ask), 'yes')
}

describe('a run that another device has', () => {
  it('is no longer in memory here when nobody looks at it or at the list, and opens again', async () => {
    const { edge, plain, count } = countedEdge()
    const laptop = await testDevice([asking], { edge: plain }).open()
    const phone = await testDevice([asking], { edge, name: 'phone', clock: hastyClock }).open()
    const run = await handleOf(laptop, await laptop.start('asking', null, { id: 'run' }))
    await run.synced()
    const listing = await phone.watchRuns(() => undefined)
    const looked = await handleOf(phone, 'run')
    await looked.until(({ asks }) => asks.length > 0)
    await looked.close()
    await hastyClock.wait(2 * limits.idleMsMax)
    expect(count.following).toBe(1)
    await phone.unwatch(listing)
    const again = await handleOf(phone, 'run')
    await again.close()
    await until(() => count.following === 0)
    const third = await handleOf(phone, 'run')
    expect(third.view()?.asks.length).toBe(1)
    await phone.close()
    await laptop.close()
  })

  it('stays as long as a parent here waits for it', async () => {
    const { edge, plain } = countedEdge()
    const laptop = await testDevice([parent, asking], { edge, clock: hastyClock }).open()
    const phone = await testDevice([asking], { edge: plain, name: 'phone' }).open()
    const run = await handleOf(laptop, await laptop.start('parent', null, { id: 'run' }))
    await run.until(({ asks }) => asks.length > 0)
    await run.synced()
    const [child] = (await laptop.runs()).filter(({ agent }) => agent === 'asking')
    const there = await handleOf(phone, String(child?.run))
    await there.until(({ asks }) => asks.length > 0)
    await there.move('here', { force: true })
    await answer(run)
    await run.until(({ asks }) => asks.length === 0)
    await hastyClock.wait(2 * limits.idleMsMax)
    await answer(there)
    expect(await run.result()).toBe('the end')
    await phone.close()
    await laptop.close()
  })
})

it('a run that waits for a time says nothing to others meanwhile', async () => {
  const later = defineAgent({
    name: 'later',
    version: 1,
    initial: () => ({}),
    turn: async () => next({ after: '30d' }),
  })
  // Each time that it looks at the clock again is over at once.
  const clock: Clock = { ...testClock, wait: (ms, signal) => testClock.wait(ms === 60_000 ? 0 : ms, signal) }
  const { remote, blobs } = memoryEdge({ clock: testClock, agents: [later] })
  let told = 0
  const follow: Edge['remote']['follow'] = (run, options) => {
    const following = remote.follow(run, options)
    return { ...following, tell: () => void (told += 1) }
  }
  const runtime = await testDevice([later], { edge: { remote: { ...remote, follow }, blobs }, clock }).open()
  const run = await handleOf(runtime, await runtime.start('later', null, { id: 'run' }))
  await run.until(({ head, sync }) => head.seq >= 1 && sync.synced?.seq === head.seq)
  await testClock.wait(2 * limits.liveMsMin)
  const before = told
  await testClock.wait(5 * limits.liveMsMin)
  expect(told).toBe(before)
  await runtime.close()
})

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
