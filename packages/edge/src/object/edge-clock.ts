import type { Clock } from '@waystone/core'

/** The clock of an object. Waits are for while a request or alarm is under way: what must outlive it is an alarm. */
export const edgeClock: Clock = {
  now: () => Date.now(),
  task: () => scheduler.wait(0),
  wait: async (ms, signal) => {
    await scheduler.wait(Math.min(ms, 2 ** 31 - 1), signal ? { signal } : {}).catch(() => undefined)
  },
}

/** After so many tasks timers and requests get their turn. */
const tasksInARowMax = 64

/**
 * The clock of one run in its object. A timer takes 1.4 ms, and a replay has four tasks a record: reading a body takes 0.04 ms
 * and is a turn of the event loop, too, but one that holds up timers and requests. A message channel makes no tasks here:
 * its messages come among the microtasks (workerd, 2026-11).
 */
export function runClock(): Clock {
  let inARow = 0
  let pause: Promise<void> | undefined
  const turn = async (): Promise<void> => void (await new Response('-').text())
  return {
    ...edgeClock,
    task: () => {
      inARow = (inARow + 1) % tasksInARowMax
      if (inARow === 0) pause ??= edgeClock.task().finally(() => (pause = undefined))
      // Tasks come in the order in which they were asked for.
      return pause ? pause.then(turn) : turn()
    },
  }
}
