import { expect, it } from 'vitest'
import { defineAgent, done, type AnyAgent } from '../engine/agent.ts'
import { RunLog } from '../log/run-log.ts'
import { testClock, testDevice } from './memory-world.test-support.ts'
import { startEntry } from './first-entry.ts'
import { RunHost, type HostEnd, type HostPorts } from './run-host.ts'

/** Hosts a new run of an agent as the edge does: until it can only wait, and again when a time soon is due. */
async function hosted(agent: AnyAgent): Promise<HostEnd> {
  const { store, snapshots, blobs, inbox, streams } = testDevice([])
  const log = await RunLog.open('run' as never, { store, snapshots, blobs, now: () => Date.now() })
  const me = 'edge' as never
  const body = startEntry(
    agent,
    null,
    { place: 'edge', written: { nonce: 'n', sdk: '0' } },
    { whenGone: 'offer', leaseMs: 1_000 },
  )
  await log.append(me, () => [{ kind: 'start', body }])
  const ports: HostPorts = {
    me,
    place: 'edge',
    clock: testClock,
    blobs,
    inbox,
    streams,
    agent: () => agent,
    confirm: () => Promise.resolve(),
    consumed: () => undefined,
    tell: () => undefined,
  }
  for (;;) {
    const end = await new RunHost(log, ports).run({ letGo: true })
    const soon = end.type === 'waiting' && end.due !== undefined && end.due < Date.now() + 60_000
    if (!soon) return end
    await testClock.wait(Math.max(0, (end.due ?? 0) - Date.now()))
  }
}

const agent = (turn: Parameters<typeof defineAgent<null, object>>[0]['turn']): AnyAgent =>
  defineAgent({ name: 'waiter', version: 1, initial: (input: null) => ({ input }), turn })

it('a host lets go as soon as its run can only wait for a time, after a step too', async () => {
  const end = await hosted(
    agent(async (ctx) => {
      await ctx.step('first', () => 1)
      await ctx.sleep('long', '7d')
      return done()
    }),
  )
  expect(end.type).toBe('waiting')
  expect(end.type === 'waiting' && (end.due ?? 0) > Date.now() + 6 * 86_400_000).toBe(true)
})

it('a host lets go as soon as its run can only wait for a person', async () => {
  const end = await hosted(
    agent(async (ctx) => {
      await ctx.step('first', () => 1)
      await ctx.ask('sure', { question: 'Sure?' })
      return done()
    }),
  )
  expect(end).toMatchObject({ type: 'waiting', due: undefined, waits: [{ for: 'answer' }] })
})

it('a host does not let go while a race is being decided', async () => {
  const end = await hosted(
    agent(async (ctx) => {
      const { name } = await ctx.race('first', {
        person: (c) => c.ask('sure', { question: 'Sure?' }),
        clock: (c) => c.sleep('patience', 30),
      })
      return done(name)
    }),
  )
  expect(end.type).toBe('ended')
})

it('a host does not let go while a turn takes its time, in microtasks, to go on', async () => {
  let ran = 0
  await hosted(
    agent(async (ctx) => {
      await ctx.all('both', {
        slow: async (c) => {
          await c.sleep('nap', 30)
          for (let hop = 0; hop < 20; hop += 1) await Promise.resolve()
          await c.step('after', () => (ran += 1))
        },
        person: (c) => c.ask('sure', { question: 'Sure?' }),
      })
      return done()
    }),
  )
  expect(ran).toBe(1)
})

it('a deadline passes in a host that lets go', async () => {
  const end = await hosted(agent(async (ctx) => done(await ctx.ask('sure', { question: '?', deadline: 30 }))))
  expect(end.type).toBe('ended')
})
