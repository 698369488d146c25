import type { Clock } from '@waystone/core'

/** The clock of a page or worker. A message channel makes tasks: timers are clamped to 4 ms once they nest. */
export function browserClock(): Clock {
  const channel = new MessageChannel()
  const waiting: (() => void)[] = []
  channel.port1.onmessage = () => waiting.shift()?.()
  return {
    now: () => Date.now(),
    task: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        channel.port2.postMessage(null)
      }),
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

/** Timers of more than 31 bits of milliseconds fire at once, in every engine. */
const timerMsMax = 2 ** 31 - 1
