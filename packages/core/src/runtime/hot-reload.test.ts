import { describe, expect, it } from 'vitest'
import { defineAgent, done, next, type AnyAgent } from '../engine/agent.ts'
import type { Ctx } from '../engine/ctx.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice, testRandom } from './memory-world.test-support.ts'
import type { RuntimeApi } from './api.ts'
import { RunHandle } from './run-handle.ts'
import type { Runtime } from './runtime.ts'

/** The same agent as its author edits it: turn 0 is always the same, `edited` is what turn 1 does before it waits. */
const writer = (edited: (ctx: Ctx) => Promise<unknown>, after = 'done') =>
  defineAgent({
    name: 'writer',
    version: 1,
    initial: () => ({ plans: 0 }),
    async turn(ctx, state) {
      if (ctx.turn === 0) {
        state.plans += 1
        return next()
      }
      await edited(ctx)
      await ctx.receive('go' as never)
      return done(after)
    },
  })

/** What bodies were started, in order. */
type Ran = string[]
const pays =
  (ran: Ran) =>
  async (ctx: Ctx): Promise<void> => {
    await ctx.step('draft', () => void ran.push('draft'))
    await ctx.once('pay', { timeout: '1s' }, () => void ran.push('pay'))
  }
/** After an edit: a question where there was a step. */
const asksFirst =
  (ran: Ran) =>
  async (ctx: Ctx): Promise<void> => {
    await ctx.sleep('draft', 1)
    await ctx.once('pay', { timeout: '1s' }, () => void ran.push('pay'))
  }

const waits = (run: RunHandle): Promise<unknown> =>
  run.until(({ status, turn }) => status === 'waiting' && turn === 1)
const isPaused = (run: RunHandle) => run.until(({ status }) => status === 'paused')

async function started(agent: AnyAgent): Promise<{ runtime: Runtime; run: RunHandle }> {
  const runtime = await testDevice([agent]).open()
  const run = await handleOf(runtime, await runtime.start('writer', null, { id: 'run' }))
  await waits(run)
  return { runtime, run }
}

/** A run that was edited in the middle of its second turn, so that it has diverged. */
async function edited(): Promise<{ runtime: Runtime; run: RunHandle; ran: Ran }> {
  const ran: Ran = []
  const { runtime, run } = await started(writer(pays(ran)))
  runtime.replaceAgents([writer(asksFirst(ran))])
  await isPaused(run)
  return { runtime, run, ran }
}

/** A runtime to which what is sent to runs is on its way until `arrive`. */
function lateApi(runtime: Runtime): { readonly api: RuntimeApi; readonly arrive: () => Promise<unknown> } {
  const sent: (() => Promise<void>)[] = []
  const api: RuntimeApi = Object.create(runtime, {
    send: {
      value: async (...item: Parameters<RuntimeApi['send']>) => void sent.push(() => runtime.send(...item)),
    },
    watch: { value: runtime.watch.bind(runtime) },
    lines: { value: runtime.lines.bind(runtime) },
    snapshot: { value: runtime.snapshot.bind(runtime) },
  }) as RuntimeApi
  return { api, arrive: () => Promise.all(sent.map((arrive) => arrive())) }
}

describe('replaceAgents()', () => {
  it('goes on with an open turn whose records the new code asks for, and runs no step again', async () => {
    const ran: Ran = []
    const { runtime, run } = await started(writer(pays(ran), 'with the old code'))
    runtime.replaceAgents([writer(pays(ran), 'with the new code')])
    await run.send('go', null)
    expect(await run.result()).toBe('with the new code')
    expect(ran).toEqual(['draft', 'pay'])
  })

  it('pauses an open turn that the new code does not fit, with what can be done', async () => {
    const { run } = await edited()
    const { pause } = await isPaused(run)
    expect(pause?.reason).toBe('divergence')
    expect(pause?.error).toMatchObject({ code: 'divergence', path: '1/draft' })
    expect(pause?.actions).toEqual(expect.arrayContaining(['retry', 'restart', 'fork', 'rewind', 'cancel']))
  })

  it('goes on by itself, on retry, when the code is as it was', async () => {
    const { runtime, run, ran } = await edited()
    runtime.replaceAgents([writer(pays(ran))])
    await run.retry()
    await waits(run)
    expect(ran).toEqual(['draft', 'pay'])
  })

  it('waits for an effect that is under way: it is not started again', async () => {
    const ran: Ran = []
    let end: () => void = () => undefined
    const slow = async (ctx: Ctx): Promise<void> => {
      await ctx.once('pay', { timeout: '20s' }, () => {
        ran.push('pay')
        return new Promise<void>((resolve) => (end = resolve))
      })
    }
    const runtime = await testDevice([writer(slow)]).open()
    const run = await handleOf(runtime, await runtime.start('writer', null, { id: 'run' }))
    await run.until(() => ran.length === 1)
    runtime.replaceAgents([writer(slow, 'with the new code')])
    end()
    await waits(run)
    await run.send('go', null)
    expect(await run.result()).toBe('with the new code')
    expect(ran).toEqual(['pay'])
  })

  it.each([
    ['leaves open turns alone when only what the place provides is new', (agent: AnyAgent) => agent, 1],
    [
      'begins open turns anew when their code is new',
      (agent: AnyAgent) => ({ ...agent, turn: agent.turn.bind(agent) }),
      2,
    ],
  ] as const)('%s', async (_, change, attempts) => {
    const ran: Ran = []
    const agent = writer(async () => void ran.push('begun'))
    const { runtime, run } = await started(agent)
    runtime.replaceAgents([change(agent.provide({}))])
    await run.send('go', null)
    await run.result()
    expect(ran).toHaveLength(attempts)
  })

  it('beside a move leaves the run still until the move is over', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [writer(async () => undefined)] })
    const device = testDevice([writer(async () => undefined)], { edge })
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('writer', null, { id: 'run' }))
    await waits(run)
    await run.synced()
    runtime.replaceAgents([writer(async () => undefined, 'with the new code')])
    await run.move('edge')
    expect(run.view()?.owner).toBe('edge')
    expect(run.entries().filter(({ kind }) => kind === 'claim')).toHaveLength(1)
  })

  it('takes what is named, keeps the others, and refuses two of one name', async () => {
    const agent = writer(async () => undefined)
    const { runtime } = await started(agent)
    const other = defineAgent({
      name: 'other',
      version: 1,
      initial: () => ({}),
      turn: async () => done('here'),
    })
    runtime.replaceAgents([other])
    const run = await handleOf(runtime, await runtime.start('other', null))
    expect(await run.result()).toBe('here')
    await runtime.start('writer', null)
    expect(() => runtime.replaceAgents([other, other])).toThrow(
      expect.objectContaining({ code: 'input_refused' }),
    )
  })
})

/** What becomes of a request to go back. */
const tookOrRefused = new Set(['unwind', 'refuse'])

describe('restart()', () => {
  it('begins the turn anew with the new code, and asks about its effects before they start again', async () => {
    const { run, ran } = await edited()
    await run.restart()
    const { pause } = await run.until(({ pause: now }) => now?.reason === 'outcome')
    expect(ran).toEqual(['draft', 'pay'])
    const unknown = pause?.error.details as { start: string } | undefined
    await run.decide(unknown?.start ?? '', { type: 'done', value: undefined })
    await waits(run)
    expect(ran).toEqual(['draft', 'pay'])
    expect(run.entries().findLast(({ kind }) => kind === 'rewind')?.body).toMatchObject({
      turn: 1,
      records: [],
    })
    expect(run.view()?.state).toEqual({ plans: 1 })
  })

  it('begins a turn anew that another run had begun, in a fork', async () => {
    const { runtime, run, ran } = await edited()
    const before = run.entries().findLast(({ kind }) => kind === 'step')?.seq ?? 0
    const fork = await handleOf(runtime, await run.fork({ seq: before, id: 'fork' }))
    await isPaused(fork)
    await fork.restart()
    const { pause } = await fork.until(({ pause: now }) => now?.reason === 'outcome')
    expect(pause?.error.path).toBe('1/pay')
    expect(fork.view()?.state).toEqual({ plans: 1 })
    expect(ran).toEqual(['draft', 'pay'])
  })

  it('is refused while the run goes on', async () => {
    const { run } = await started(writer(async () => undefined))
    await expect(run.restart()).rejects.toMatchObject({ code: 'input_refused' })
  })

  it('asked for twice begins the turn anew once', async () => {
    const { run } = await edited()
    await Promise.all([run.restart(), run.restart()])
    await run.until(() => run.entries().filter(({ kind }) => tookOrRefused.has(kind)).length === 2)
    expect(run.entries().filter(({ kind }) => kind === 'unwind')).toHaveLength(1)
  })

  it.each([
    ['goes on', [], 'waiting'],
    ['is paused in a later turn', [2], 'paused'],
  ] as const)('that comes when its run %s takes nothing back', async (_, failsLater, status) => {
    const fails = new Set<number>([1])
    const agent = defineAgent({
      name: 'writer',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        if (fails.has(ctx.turn)) throw new Error('not yet')
        if (ctx.turn === 2) await ctx.receive('go' as never)
        return next()
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('writer', null, { id: 'run' }))
    await isPaused(run)
    const late = lateApi(runtime)
    const elsewhere = await RunHandle.open(run.id, late.api, testRandom)
    await elsewhere.restart()

    fails.delete(1)
    for (const turn of failsLater) fails.add(turn)
    await run.retry()
    await run.until((view) => view.turn === 2 && view.status === status)
    await late.arrive()
    await run.until(() => run.entries().some(({ kind }) => tookOrRefused.has(kind)))
    expect(run.view()).toMatchObject({ turn: 2, status })
    expect(run.entries().some(({ kind }) => kind === 'unwind')).toBe(false)
  })
})

describe('fork() without an entry', () => {
  it('makes a run that begins the open turn with the new code, and leaves this one as it is', async () => {
    const { runtime, run, ran } = await edited()
    const { head } = await isPaused(run)
    const fork = await handleOf(runtime, await run.fork())
    const { pause } = await fork.until(({ pause: now }) => now?.reason === 'outcome')
    expect(pause?.error.path).toBe('1/pay')
    expect(fork.view()?.turn).toBe(1)
    expect(run.view()?.head).toEqual(head)
    expect(ran).toEqual(['draft', 'pay'])
  })
})
