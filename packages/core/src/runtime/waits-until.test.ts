import { expect, it } from 'vitest'
import { defineAgent, done, next, type AnyAgent } from '../engine/agent.ts'
import type { Ctx } from '../engine/ctx.ts'
import type { Fold } from '../log/fold.ts'
import type { Live } from '../ports/watch.ts'
import { testClock } from './memory-world.test-support.ts'
import { portsOf, started } from './run-host.test-support.ts'
import { RunHost } from './run-host.ts'
import { waitsUntil } from './waits-until.ts'

/** Until when a run of a turn waits whose host has come as far as it can, and is gone. */
async function waitOf(turn: (ctx: Ctx) => Promise<unknown>): Promise<number> {
  const agent: AnyAgent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const said = await turn(ctx as unknown as Ctx)
      return said === 'next' ? next({ after: '1h' }) : done(null)
    },
  })
  const { storage, log } = await started()
  const host = new RunHost(
    log,
    portsOf(storage, () => agent),
  )
  const ended = host.run()
  while (!isAsFarAsItCan(host.live(), log.mustFold())) await testClock.task()
  host.stop()
  await ended
  return waitsUntil(log.mustFold(), { clock: testClock, place: 'edge', agent: () => agent })
}

/** Nothing is left to be begun: steps run, which never end here, and other calls wait. */
function isAsFarAsItCan({ calls }: Live, { due }: Fold): boolean {
  const isSettled = calls.every(
    ({ kind, waits }) => ['step', 'race', 'all'].includes(kind) || waits !== undefined,
  )
  return due !== undefined || (calls.length > 0 && isSettled)
}

/** A step that its host did not end. */
const never = (): Promise<never> => new Promise(() => undefined)
const hour = 3_600_000

it('a run that waits for a person, or a message, waits until its inbox brings it on', async () => {
  expect(await waitOf((ctx) => ctx.ask('go', { question: 'Go on?' }))).toBe(Infinity)
  expect(await waitOf((ctx) => ctx.receive('go' as never))).toBe(Infinity)
})

it('a run that waits for a time, or a deadline, waits until then', async () => {
  const waits = [
    waitOf((ctx) => ctx.sleep('nap', hour)),
    waitOf((ctx) => ctx.ask('go', { question: 'Go on?', deadline: '1h' })),
    waitOf((ctx) =>
      ctx.all('both', {
        person: (c) => c.ask('go', { question: 'Go?' }),
        nap: (c) => c.sleep('nap', hour),
      }),
    ),
    waitOf((ctx) => ctx.step('first', () => 'next')),
  ]
  for (const due of await Promise.all(waits)) {
    expect(due).toBeGreaterThan(Date.now() + hour - 60_000)
    expect(due).toBeLessThanOrEqual(Date.now() + hour)
  }
})

it('a run that has something to do beside what waits does not wait', async () => {
  const ask = (ctx: Pick<Ctx, 'ask'>): Promise<unknown> => ctx.ask('go', { question: 'Go on?' })
  expect(await waitOf((ctx) => ctx.step('work', never))).toBe(0)
  expect(await waitOf((ctx) => ctx.all('both', { work: (c) => c.step('work', never), person: ask }))).toBe(0)
  expect(await waitOf((ctx) => ctx.all('both', { person: ask, work: (c) => c.step('work', never) }))).toBe(0)
  expect(
    await waitOf((ctx) =>
      ctx.race('first', { nap: (c) => c.sleep('nap', hour), work: (c) => c.step('work', never) }),
    ),
  ).toBe(0)
})
