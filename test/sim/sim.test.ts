import { simulate } from '@waystone/testing/simulator'
import { describe, expect, it } from 'vitest'
import { plants, plantSeedsMax } from './plants.ts'
import { runSeeds } from './run-seeds.ts'

const minute = 60_000

describe('a simulation', () => {
  it(
    'of 10,000 seeds loses nothing, does nothing twice, and comes to its end in each',
    { timeout: 15 * minute },
    async () => {
      const { failures, seeds, fewestEvents, pairs } = await runSeeds({ from: 1, count: 10_000 })
      expect(failures).toEqual([])
      expect(seeds).toBe(10_000)
      expect(fewestEvents).toBeGreaterThanOrEqual(200)
      for (const fault of ['kill', 'freeze', 'close', 'dropped', 'answer dropped', 'duplicated', 'partition'])
        expect(
          Object.keys(pairs).some((pair) => pair.startsWith(`${fault} x `)),
          fault,
        ).toBe(true)
      for (const effect of ['performed x device', 'performed x edge'])
        expect(pairs[effect] ?? 0, effect).toBeGreaterThan(100)
      // Few take back what was done, and one world in sixteen has children.
      for (const rare of [
        'taken back x device',
        'taken back x edge',
        'joined x done',
        'joined x failed',
        'relative x start',
        'relative x end',
        'relative x cancel',
        'relative x came',
        'relative x ended',
      ])
        expect(pairs[rare] ?? 0, rare).toBeGreaterThan(20)
    },
  )

  it.for([1, 40, 77, 4_321])('goes the same way whenever it begins with seed %i', async (seed) => {
    const first = await simulate(seed)
    await simulate(seed + 1)
    const again = await simulate(seed)
    expect(again).toEqual(first)
    expect(first.events).toBeGreaterThanOrEqual(200)
  })

  it.for(plants.map(({ name }) => name))(
    `finds this bug within ${String(plantSeedsMax)} seeds: %s`,
    { timeout: 5 * minute },
    async (plant) => {
      const { failures } = await runSeeds({ from: 1, count: plantSeedsMax, plant, untilFailure: true })
      expect(failures).not.toEqual([])
    },
  )
})
