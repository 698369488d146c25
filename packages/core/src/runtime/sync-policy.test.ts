import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { parseLine, type Entry } from '../log/entry.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'
import type { Runtime } from './runtime.ts'

/** Pushes that an edge was sent, by the kinds of their entries. */
function watchedEdge() {
  const edge = memoryEdge({ clock: testClock })
  const pushes: Entry['kind'][][] = []
  const push: typeof edge.remote.push = (run, append) => {
    pushes.push(append.lines.map((line) => parseLine(line).kind as Entry['kind']))
    return edge.remote.push(run, append)
  }
  return { edge: { ...edge, remote: { ...edge.remote, push } }, pushes }
}

/** Waits for a word, works, fails where told, and waits for another. */
const worker = (fails: boolean) =>
  defineAgent({
    name: 'worker',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      await ctx.receive('begin' as never)
      const body = (): string => {
        if (fails) throw Object.assign(new Error('no such page'), { retryable: false })
        return 'page'
      }
      await ctx.step('fetch', body).catch(String)
      await ctx.receive('go' as never)
      return done(null)
    },
  })

/** A run that has worked, from a moment on at which the edge had all of it. */
async function worked(runtime: Runtime, id: string): Promise<RunHandle> {
  const run = await handleOf(runtime, await runtime.start('worker', null, { id }))
  await run.until(({ status, sync, head }) => status === 'waiting' && sync.synced?.seq === head.seq)
  await run.send('begin', null)
  await run.until(() => run.entries().some(({ kind }) => kind === 'step'))
  return run
}

describe.each([
  ['a fixed policy', { every: 1_000, intervalMs: 3_600_000 }],
  ['an adaptive policy', { every: Infinity, intervalMs: 'adaptive' }],
] as const)('with %s', (_, syncPolicy) => {
  it('the record of a failed step goes to the edge at once, with all before it', async () => {
    const { edge, pushes } = watchedEdge()
    const runtime = await testDevice([worker(true)], { edge, syncPolicy }).open()
    const run = await worked(runtime, 'run')
    await run.synced()
    expect(pushes.at(-1)).toEqual(['turn', 'receive', 'step'])
    await runtime.close()
  })
})

it('with a policy of turns all goes to the edge when so many have ended', async () => {
  const { edge, pushes } = watchedEdge()
  const counter = defineAgent({
    name: 'counter',
    version: 1,
    initial: () => ({ count: 0 }),
    async turn(ctx, state) {
      await ctx.receive('next' as never)
      state.count += 1
      return next()
    },
  })
  const syncPolicy = { every: Infinity, turns: 2, intervalMs: 3_600_000 }
  const runtime = await testDevice([counter], { edge, syncPolicy }).open()
  const run = await handleOf<{ count: number }>(runtime, await runtime.start('counter', null))
  await run.synced()
  for (const count of [1, 2, 3]) {
    await run.send('next', null)
    await run.until(({ state }) => state.count === count)
    if (count === 2) await run.until(({ sync, head }) => sync.synced?.seq === head.seq)
  }
  expect(pushes.flat().filter((kind) => kind === 'commit')).toHaveLength(2)
  await runtime.close()
})

describe('flush()', () => {
  it('sends what a policy holds back, of every run', async () => {
    const { edge, pushes } = watchedEdge()
    const syncPolicy = { every: 1_000, intervalMs: 3_600_000 }
    const runtime = await testDevice([worker(false)], { edge, syncPolicy }).open()
    const runs = [await worked(runtime, 'one'), await worked(runtime, 'other')]
    expect(pushes.flat()).not.toContain('step')
    await runtime.flush()
    await Promise.all(runs.map((run) => run.synced()))
    expect(pushes.flat().filter((kind) => kind === 'step')).toHaveLength(2)
    await runtime.close()
  })
})
