import { setImmediate as nextTask, setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@waystone/core'

/** The clock of a program in Node. */
export const nodeClock: Clock = {
  now: () => Date.now(),
  task: () => nextTask(),
  wait: (ms, signal) =>
    sleep(ms, undefined, signal ? { signal: signal as globalThis.AbortSignal } : {}).catch(() => undefined),
}
