import { expect, it } from 'vitest'
import { nodeClock } from './node-clock.ts'
import { nodeRandom } from './node-random.ts'

it('the clock of Node waits for its time, and not longer than its signal', async () => {
  const clock = nodeClock()
  const began = clock.now()
  await clock.wait(20)
  // The timers and the time of day are two clocks.
  expect(clock.now() - began).toBeGreaterThanOrEqual(18)
  const stop = new AbortController()
  const waiting = clock.wait(3_600_000, stop.signal)
  stop.abort()
  await waiting
  await clock.wait(3_600_000, stop.signal)
})

it('the clock of Node is not over at once where a time is too long for its timers', async () => {
  const clock = nodeClock()
  const stop = new AbortController()
  let isOver = false
  const waiting = clock.wait(Infinity, stop.signal).then(() => (isOver = true))
  await clock.wait(20)
  expect(isOver).toBe(false)
  stop.abort()
  await waiting
})

it('a task of the clock of Node comes after the microtasks of this one', async () => {
  const heard: string[] = []
  const task = nodeClock()
    .task()
    .then(() => heard.push('task'))
  await Promise.resolve()
  heard.push('microtask')
  await task
  expect(heard).toEqual(['microtask', 'task'])
})

it('random bytes of Node are as many as were asked for, and others each time', () => {
  expect(nodeRandom(16)).toHaveLength(16)
  expect(nodeRandom(16)).not.toEqual(nodeRandom(16))
  expect(nodeRandom(0)).toEqual(new Uint8Array())
})
