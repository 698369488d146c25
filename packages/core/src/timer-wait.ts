import type { Clock } from './ports/clock.ts'

/** Calls `fire` once after `ms`, at most 31 bits of them. Returns how to call it off. */
export type SetTimer = (fire: () => void, ms: number) => () => void

/** Engines fire timers of more than 31 bits of milliseconds at once, all of them. */
const timerMsMax = 2 ** 31 - 1

/** The `wait` of a clock by the timers of its platform. */
export function timerWait(setTimer: SetTimer): Clock['wait'] {
  return (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const stop = (): void => {
        callOff()
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const callOff = setTimer(stop, Math.min(ms, timerMsMax))
      signal?.addEventListener('abort', stop)
    })
}
