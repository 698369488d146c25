import { expect, it } from 'vitest'
import { defineAgent, next, type AnyAgent } from '../engine/agent.ts'
import type { SnapshotsOption } from '../engine/snapshot-policy-of.ts'
import type { Entry } from '../log/entry.ts'
import { tell } from './listener.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'

const hour = 3_600_000

/** Remembers how many words it heard: a state that never outgrows anything. */
const counter = (snapshots?: SnapshotsOption): AnyAgent =>
  defineAgent({
    name: 'counter',
    version: 1,
    ...(snapshots ? { snapshots } : {}),
    inbox: {},
    initial: () => ({ count: 0 }),
    async turn(ctx, state) {
      await ctx.receive('word' as never)
      state.count += 1
      return next()
    },
  })

/** A run of such an agent, on a device whose clock the test sets. */
async function counting(snapshots?: SnapshotsOption) {
  let ahead = 0
  const device = testDevice([counter(snapshots)], { clock: { ...testClock, now: () => Date.now() + ahead } })
  const runtime = await device.open()
  const run = await handleOf(runtime, await runtime.start('counter', null, { id: 'counted' }))
  return { runtime, run, ahead: (ms: number) => (ahead += ms) }
}

/** How many turns had committed at each snapshot. */
const snapshotsOf = (run: RunHandle): readonly number[] =>
  run
    .entries()
    .filter((entry): entry is Extract<Entry, { kind: 'snapshot' }> => entry.kind === 'snapshot')
    .map(({ body }) => body.turn)

it('a run makes a snapshot after so many turns', async () => {
  const { runtime, run } = await counting({ turns: 2 })
  for (let pair = 0; pair < 3; pair += 1) {
    await tell(run, 2 * pair, 2 * pair + 2)
    await run.until(() => snapshotsOf(run).length === pair + 1)
  }
  expect(snapshotsOf(run)).toEqual([2, 4, 6])
  await runtime.close()
})

it('a run makes a snapshot with the first turn that ends after an interval, and with no other', async () => {
  const { runtime, run, ahead } = await counting({ interval: '1h' })
  await tell(run, 0, 3)
  ahead(hour)
  await tell(run, 3, 4)
  await run.until(() => snapshotsOf(run).length === 1)
  await tell(run, 4, 7)
  ahead(hour)
  await tell(run, 7, 8)
  await run.until(() => snapshotsOf(run).length === 2)
  expect(snapshotsOf(run)).toEqual([4, 8])
  await runtime.close()
})

it('a run makes the snapshot of whichever comes first, and one of where it went back to', async () => {
  const { runtime, run, ahead } = await counting({ turns: 3, interval: '1h' })
  await tell(run, 0, 3)
  await run.until(() => snapshotsOf(run).length === 1)
  ahead(hour)
  await tell(run, 3, 4)
  await run.until(() => snapshotsOf(run).length === 2)
  const first = run.checkpoints().find(({ turn }) => turn === 1)
  await run.rewind({ seq: first?.seq ?? Number.NaN })
  await run.until(() => snapshotsOf(run).length === 3)
  await tell(run, 1, 4, 'again')
  await run.until(() => snapshotsOf(run).length === 4)
  expect(snapshotsOf(run)).toEqual([3, 4, 1, 4])
  await runtime.close()
})

it('a run of an agent that says nothing makes none for a few turns', async () => {
  const { runtime, run, ahead } = await counting()
  await tell(run, 0, 5)
  ahead(hour)
  await tell(run, 5, 10)
  expect(snapshotsOf(run)).toEqual([])
  await runtime.close()
})

it('an agent whose option is no number above 0 is refused', () => {
  for (const snapshots of [{ turns: 0 }, { turns: 1.5 }, { interval: 0 }])
    expect(() => counter(snapshots)).toThrow(expect.objectContaining({ code: 'input_refused' }))
})
