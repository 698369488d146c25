import { expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'

const painter = defineAgent({
  name: 'painter',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    await ctx.artifact('picture', new Uint8Array(1_000).fill(7))
    return done('painted')
  },
})

it('an edge that has not kept a blob it was given is given it again later, and until then the run says so', async () => {
  const memory = memoryEdge({ clock: testClock })
  let lost = 0
  const put: typeof memory.blobs.put = async (...blob) => {
    if (lost > 0) return memory.blobs.put(...blob)
    lost += 1
  }
  const edge = { ...memory, blobs: { ...memory.blobs, put } }
  const runtime = await testDevice([painter], { edge, clock: hastyClock }).open()
  const run = await handleOf(runtime, await runtime.start('painter', null))
  const { sync } = await run.until((view) => view.sync.error !== undefined)
  expect(sync.error).toMatchObject({ code: 'blob_missing' })
  await run.synced()
  expect([lost, run.view()?.sync.error]).toEqual([1, undefined])
  await runtime.close()
})
