import { timerWait, type Clock } from '@waystone/core'
import { setImmediate } from 'node:timers/promises'

/** The clock of a Node process, for the `clock` of a session or a runtime. What waits keeps the process alive. */
export function nodeClock(): Clock {
  return {
    now: () => Date.now(),
    task: () => setImmediate(),
    wait: timerWait((fire, ms) => {
      const timer = setTimeout(fire, ms)
      return () => clearTimeout(timer)
    }),
  }
}
