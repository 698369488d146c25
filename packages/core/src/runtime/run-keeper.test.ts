import { expect, it } from 'vitest'
import { defineAgent } from '../engine/agent.ts'
import type { OwnerId } from '../ids.ts'
import { run } from '../log/log.test-support.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { handleOf, testClock, testDevice, testRandom } from './memory-world.test-support.ts'
import { RunKeeper } from './run-keeper.ts'

const hourMs = 3_600_000

it('a run of a device that is gone, which the edge cannot go on with, wakes its object ever more seldom', async () => {
  const agent = defineAgent({
    name: 'elsewhere only',
    version: 1,
    initial: () => ({}),
    turn: async (ctx) => ctx.step('endless', () => new Promise<never>(() => undefined)),
  })
  const device = testDevice([agent])
  const runtime = await device.open()
  await handleOf(runtime, await runtime.start(agent.name, null, { id: run, whenGone: 'edge' }))
  const lines = await device.store.read(run, 0)
  const began = Date.now()
  let now = began
  let at: number | undefined
  const failed: string[] = []
  const storage = memoryStorage()
  const keeper = await RunKeeper.open(run, {
    clock: { ...testClock, now: () => now },
    random: testRandom,
    due: {
      set: async (time) => void (at = time),
      delete: async () => void (at = undefined),
      get: () => at,
      begin: async () => 1,
    },
    storage: { ...storage, store: { ...storage.store, lastAppend: () => began } },
    followers: { tell: () => undefined, tellDevice: () => false, lastHeard: () => undefined },
    streamNames: () => [],
    agents: () => [],
    changed: () => undefined,
    failed: (what) => failed.push(what),
  })
  await keeper.authority.push({ base: undefined, lines }, 'laptop' as OwnerId)
  await keeper.pushed()
  const gaps: number[] = []
  while (at !== undefined && at < began + 48 * hourMs) {
    gaps.push(at - now)
    now = at
    at = undefined
    await keeper.alarm({ until: now + 10_000, steps: 100, tries: 1 })
  }
  expect(new Set(failed)).toEqual(new Set(['take over']))
  expect(gaps.length).toBeLessThan(60)
  expect(Math.max(...gaps)).toBe(hourMs)
  await runtime.close()
})
