import { expect, it } from 'vitest'
import { defineAgent, done, type AnyAgent } from '../engine/agent.ts'
import { RunLog } from '../log/run-log.ts'
import { testClock, testDevice } from './memory-world.test-support.ts'
import { startEntry } from './first-entry.ts'
import { RunHost, type HostEnd } from './run-host.ts'

/** Hosts a new run of an agent as the edge does: until it can only wait. */
async function hosted(agent: AnyAgent): Promise<HostEnd> {
  const { store, blobs, inbox, streams } = testDevice([])
  const log = await RunLog.open('run' as never, { store, blobs, now: () => Date.now() })
  const me = 'edge' as never
  const body = startEntry(agent, null, { place: 'edge', nonce: 'n' }, { whenGone: 'offer', leaseMs: 1_000 })
  await log.append(me, () => [{ kind: 'start', body }])
  const host = new RunHost(log, {
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
  })
  return host.run({ letGo: true })
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
