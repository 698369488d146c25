import type { Clock } from '@waystone/core'

/** The clock of an object. Waits are for while a request or alarm is under way: what must outlive it is an alarm. */
export const edgeClock: Clock = {
  now: () => Date.now(),
  task: () => scheduler.wait(0),
  wait: async (ms, signal) => {
    await scheduler.wait(Math.min(ms, 2 ** 31 - 1), signal ? { signal } : {}).catch(() => undefined)
  },
}
