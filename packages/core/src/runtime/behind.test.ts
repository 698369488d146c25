import { expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import type { Edge } from '../sync/syncer.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

it('an owner that hears that another one goes on begins nothing before it has what the edge has', async () => {
  const begun: string[] = []
  const first = Promise.withResolvers<void>()
  const agentOn = (device: string, until: Promise<void>) =>
    defineAgent({
      name: 'worker',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.step('first', () => {
          begun.push(`${device} first`)
          return until
        })
        await ctx.step('second', () => void begun.push(`${device} second`))
        return done()
      },
    })
  const phoneSteps = Promise.withResolvers<void>()
  const [mine, theirs] = [agentOn('laptop', first.promise), agentOn('phone', phoneSteps.promise)]
  const { remote, blobs } = memoryEdge({ clock: testClock, ownerAlive: () => false })
  let isLost = false
  const lost = Promise.withResolvers<void>()
  const edge: Edge = {
    blobs,
    remote: {
      ...remote,
      // The live connection says that the run was taken; what was asked for after that does not come.
      pull(run, from, as) {
        if (!isLost) return remote.pull(run, from, as)
        lost.resolve()
        return Promise.reject(new WaystoneError('unreachable', 'no answer', { run }))
      },
    },
  }
  const laptop = await testDevice([mine], { edge }).open()
  const run = await handleOf(laptop, await laptop.start('worker', null, {}))
  await run.until(({ sync, head }) => begun.length === 1 && sync.synced?.seq === head.seq)

  const phone = await testDevice([theirs], { edge: { remote, blobs }, name: 'phone' }).open()
  const there = await handleOf(phone, run.id)
  isLost = true
  await there.move('here', { force: true })
  await lost.promise
  first.resolve()
  for (let tasks = 0; tasks < 20; tasks += 1) await testClock.task()
  expect(begun).toEqual(['laptop first', 'phone first'])
  expect([run.view()?.owner, run.view()?.head.seq]).toEqual(['laptop', 0])

  isLost = false
  await run.until(({ owner }) => owner === 'phone')
  phoneSteps.resolve()
  await run.until(({ status }) => status === 'done')
  expect(begun).toEqual(['laptop first', 'phone first', 'phone second'])
  expect(await run.setAside()).toEqual([])
  await laptop.close()
  await phone.close()
})
