import { expect, it } from 'vitest'
import { testClock } from '../runtime/memory-world.test-support.ts'
import { Waker } from '../waker.ts'
import { nextWithin } from './in-time.ts'

it('a wait that is over in time leaves nobody waiting', async () => {
  const waker = new Waker()
  let waiting = 0
  const next = waker.next.bind(waker)
  waker.next = (signal) => {
    waiting += 1
    return next(signal).finally(() => (waiting -= 1))
  }
  await nextWithin(testClock, 1, waker)
  await testClock.task()
  expect(waiting).toBe(0)
  const long = nextWithin(testClock, 1_000_000, waker)
  waker.wake()
  await long
  const woken = nextWithin(testClock, undefined, waker)
  waker.wake()
  await woken
  expect(waiting).toBe(0)
})
