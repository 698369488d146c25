import { expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { me, run, start } from '../log/log.test-support.ts'
import { RunLog } from '../log/run-log.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { testClock } from './memory-world.test-support.ts'
import { RunHost } from './run-host.ts'

it('a host that stood still before its first step begins none, beside each other or not, before it knows who writes', async () => {
  const ran: string[] = []
  const agent = defineAgent({
    name: 'a',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const step = (name: string) => () => ctx.step(name, () => Promise.resolve(void ran.push(name)))
      await Promise.all([step('a')(), step('b')()])
      return done(null)
    },
  })
  const storage = memoryStorage()
  const log = await RunLog.open(run, { ...storage, now: () => Date.now() })
  await log.append(me, () => [start({})])
  const looked = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  let looks = 0
  const host = new RunHost(log, {
    ...storage,
    me,
    place: 'browser',
    // A minute has passed since the entry above.
    clock: { ...testClock, now: () => Date.now() + 60_000 },
    agent: () => agent,
    confirm: () => Promise.resolve(),
    consumed: () => undefined,
    tell: () => undefined,
    slept: () => {
      looks += 1
      asked.resolve()
      return looked.promise
    },
  })
  const ended = host.run()
  await asked.promise
  for (let task = 0; task < 100; task += 1) await testClock.task()
  expect([looks, ran]).toEqual([1, []])
  looked.resolve()
  await ended
  expect([looks, ran.toSorted()]).toEqual([1, ['a', 'b']])
})
