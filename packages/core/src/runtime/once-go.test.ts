import { expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { defineAgent, done, type AnyAgent } from '../engine/agent.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'

const payer = (once?: 'wait' | 'go'): AnyAgent =>
  defineAgent({
    name: 'payer',
    version: 1,
    ...(once ? { once } : {}),
    initial: () => ({}),
    turn: async (ctx) => done(await ctx.once('pay', { timeout: '5s' }, () => 'paid')),
  })

/** Starts an agent on a device that cannot reach its edge. */
async function offline(agent: AnyAgent): Promise<RunHandle> {
  const unreachable = (): Promise<never> => Promise.reject(new WaystoneError('unreachable', 'no network'))
  const edge = memoryEdge({ clock: hastyClock })
  const remote = { ...edge.remote, push: unreachable, pull: unreachable }
  const runtime = await testDevice([agent], { clock: hastyClock, edge: { ...edge, remote } }).open()
  return handleOf(runtime, await runtime.start('payer', null, {}))
}

it('an effect waits for the edge to know of its start', async () => {
  const run = await offline(payer())
  const { live } = await run.until(({ status }) => status === 'waiting')
  expect(live.calls).toMatchObject([{ path: '0/pay', waits: { for: 'network' } }])
  expect(run.entries().some(({ kind }) => kind === 'once.start')).toBe(false)
})

it("an agent that says once: 'go' does not wait, and its start says so", async () => {
  const run = await offline(payer('go'))
  expect(await run.result()).toBe('paid')
  const start = run.entries().find(({ kind }) => kind === 'once.start')
  expect(start?.body).toMatchObject({ path: '0/pay', unsynced: true })
})
