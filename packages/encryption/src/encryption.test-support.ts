import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@waystone/core'

/** The clock of these tests. */
export const clock: Clock = {
  now: () => Date.now(),
  task: () => setImmediate(),
  wait: (ms, signal) =>
    sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined) as Promise<void>,
}

export const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))
