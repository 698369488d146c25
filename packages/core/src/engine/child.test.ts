import { describe, expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { memoryEdge } from '../runtime/memory-edge.test-support.ts'
import { handleOf, hastyClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done, fail } from './agent.ts'
import { crashEverywhere } from './crash.test-support.ts'

const worker = defineAgent({
  name: 'worker',
  version: 1,
  initial: (input: { n: number }) => ({ n: input.n }),
  async turn(ctx, state) {
    const square = await ctx.step('square', () => state.n * state.n)
    return state.n % 4 === 3 ? fail(`${String(state.n)} is no good`) : done(square)
  },
})

/** Hands a piece of work to each of some workers and combines what comes of it. */
function orchestrator(workers: number, attempts = 1) {
  return defineAgent({
    name: 'orchestrator',
    version: 1,
    initial: () => ({ squares: [] as number[], failed: [] as string[] }),
    async turn(ctx, state) {
      const numbers = Array.from({ length: workers }, (_, n) => n)
      const options = { key: String, concurrency: workers }
      const ends = await ctx.map('work', numbers, options, async (c, n) => {
        const child = await c.spawn('worker', worker, { n }, { attempts })
        return c.join(child).catch((error: unknown) => (error as Error).message)
      })
      state.squares = ends.filter((end) => typeof end === 'number')
      state.failed = ends.filter((end) => typeof end === 'string')
      return done(state.squares.length)
    },
  })
}

describe('spawn() and join()', () => {
  it('ten workers, some fail, the others go on, and the orchestrator combines', async () => {
    const agent = orchestrator(10)
    const runtime = await testDevice([agent, worker]).open()
    const run = await handleOf<{ failed: string[] }>(runtime, await runtime.start('orchestrator', null, {}))
    expect(await run.result()).toBe(8)
    expect(run.view()?.state.failed).toHaveLength(2)
    const children = (await runtime.runs()).filter(({ agent: name }) => name === 'worker')
    expect(children.map(({ status }) => status).filter((status) => status === 'failed')).toHaveLength(2)
    expect(children).toHaveLength(10)
    await runtime.close()
  })

  it('starts a child anew as often as it is told to', async () => {
    const agent = orchestrator(4, 3)
    const runtime = await testDevice([agent, worker]).open()
    const run = await handleOf(runtime, await runtime.start('orchestrator', null, {}))
    expect(await run.result()).toBe(3)
    const children = (await runtime.runs()).filter(({ agent: name }) => name === 'worker')
    expect(children).toHaveLength(3 + 3)
    await runtime.close()
  })

  it('cancels a child whose deadline is over', async () => {
    const endless = defineAgent({
      name: 'endless',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.sleep('long', '7d')
        return done()
      },
    })
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({ why: '' }),
      async turn(ctx, state) {
        const child = await ctx.spawn('slow', endless, null as never, { deadline: 30 })
        const why = await ctx.join(child).catch((error: unknown) => (error as Error).message)
        state.why = String(why)
        return done(child.run)
      },
    })
    const runtime = await testDevice([parent, endless], { clock: hastyClock }).open()
    const run = await handleOf<{ why: string }>(runtime, await runtime.start('parent', null, {}))
    const child = await handleOf(runtime, String(await run.result()))
    await child.until(({ status }) => status === 'cancelled')
    expect(run.view()?.state.why).toContain('its deadline is over')
  })

  it('comes to the same end when its parent is killed after any entry', async () => {
    await crashEverywhere(() => orchestrator(3), undefined, [worker])
  })

  it('children of one name in two branches are joined by their parent', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const children = await ctx.map('each', [1, 2], { key: String }, (c, n) =>
          c.spawn('w'.repeat(200), worker, { n }),
        )
        let sum = 0
        for (const child of children) sum += await ctx.join(child)
        return done(sum)
      },
    })
    const runtime = await testDevice([parent, worker]).open()
    const run = await handleOf(runtime, await runtime.start('parent', null, {}))
    expect(await run.result()).toBe(5)
    await runtime.close()
  })

  it('a child that cannot be started fails where it was spawned', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        return done(
          await ctx.spawn('w', worker, { n: 1 }).catch((error: unknown) => (error as { code: string }).code),
        )
      },
    })
    const runtime = await testDevice([parent]).open()
    const run = await handleOf(runtime, await runtime.start('parent', null, {}))
    expect(await run.result()).toBe('agent_unknown')
    await runtime.close()
  })

  it('a child that another device has started is not started anew while the edge cannot be asked', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const child = await ctx.spawn('w', worker, { n: 2 })
        return done(await ctx.join(child))
      },
    })
    const laptop = testDevice([parent, worker])
    const before = await laptop.open()
    const first = await handleOf(before, await before.start('parent', null, { id: 'parent' }))
    await first.result()
    await before.close()
    const spawned = first.entries().findIndex(({ kind }) => kind === 'spawn')
    const lines = (await laptop.store.read('parent' as never, 0)).slice(0, spawned + 1)

    let isConnected = false
    const edge = memoryEdge({ clock: hastyClock })
    const pull: typeof edge.remote.pull = async (...args) => {
      if (!isConnected) throw new WaystoneError('unreachable', 'no network')
      return edge.remote.pull(...args)
    }
    const phone = testDevice([parent, worker], {
      clock: hastyClock,
      edge: { ...edge, remote: { ...edge.remote, pull } },
    })
    await phone.store.append('parent' as never, { base: undefined, lines, durability: 'relaxed' })
    const runtime = await phone.open()
    const run = await handleOf(runtime, 'parent')
    await run.until(({ live }) =>
      live.calls.some(({ kind, waits }) => kind === 'join' && waits?.for === 'time'),
    )
    const spawn = first.entries()[spawned]
    expect(spawn?.kind === 'spawn' && (await phone.store.head(spawn.body.child))).toBeUndefined()
    isConnected = true
    await run.send('anything', null)
    expect(await run.result()).toBe(4)
    await runtime.close()
  })
})
