import { describe, expect, it } from 'vitest'
import { engineNames, skipWithout } from '../harness/engines.ts'
import { chaos, type ChaosEngine } from './chaos.ts'
import { soak } from './soak.ts'

/** The same kills every time. `npm run test:chaos` makes more of them, and measures. */
const seed = 5
const testMsMax = 240_000
const engines: readonly { readonly engine: ChaosEngine; readonly kills: number }[] = [
  ...engineNames.map((engine) => ({ engine, kills: 2 })),
  // Each takes as long as wrangler takes to start, and the alarms of the runs at the edge.
  { engine: 'workerd', kills: 2 },
]

describe.each(engines)('$kills kills of $engine', ({ engine, kills }) => {
  it(
    'lose nothing that was acknowledged, and make nothing happen twice',
    async (context) => {
      skipWithout(engine === 'workerd' ? 'chromium' : engine, context)
      const tally = await chaos({ engine, kills, seed, takeOvers: engine === 'workerd' ? 0 : 2 })
      expect(Object.values(tally.kills).reduce((sum, one) => sum + one, 0)).toBe(kills)
      const { lost, startedTwice, ranAgain, divergences, wrong } = tally
      expect({ lost, startedTwice, ranAgain, divergences, wrong }).toEqual({
        lost: [],
        startedTwice: [],
        ranAgain: [],
        divergences: [],
        wrong: [],
      })
      // WebKitGTK may leave a database blocked when a worker ends in the middle of its transactions (2.50, 2026-11).
      if (engine !== 'webkit') expect(tally.blocked).toBe(0)
      expect(tally.found).toEqual(tally.acknowledged)
      expect(
        Math.min(
          tally.acknowledged.relaxed,
          tally.acknowledged.strict,
          tally.acknowledged.notes,
          tally.onceStarted,
        ),
      ).toBeGreaterThan(0)
      expect(tally.ended).toBeGreaterThanOrEqual(3)
    },
    testMsMax,
  )
})

it(
  'a few runs in use, through a kill of the edge and another release of it, all finish, and the list of runs knows',
  async () => {
    const soaked = await soak({ runs: 6, kills: 2, turns: 5, seed })
    expect(soaked).toMatchObject({
      finished: 6,
      startedTwice: [],
      catalogDiffers: [],
      wrong: [],
      releases: 2,
    })
  },
  testMsMax,
)
