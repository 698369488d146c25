import { setImmediate } from 'node:timers/promises'
import type { Clock } from '@waystone/core'

/** Node fires timers of more than 31 bits of milliseconds at once. */
const timerMsMax = 2 ** 31 - 1

/** The clock of a Node process, for the `clock` of a session or a runtime. What waits keeps the process alive. */
export function nodeClock(): Clock {
  return {
    now: () => Date.now(),
    task: () => setImmediate(),
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const stop = (): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', stop)
          resolve()
        }
        const timer = setTimeout(stop, Math.min(ms, timerMsMax))
        signal?.addEventListener('abort', stop)
      }),
  }
}
