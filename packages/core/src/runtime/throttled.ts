import type { Clock } from '../ports/clock.ts'

/** Does `work` soon after it was asked for, at most once in `ms`, and always after the last time it was. */
export function throttled(clock: Clock, ms: number, work: () => void): () => void {
  let state: 'idle' | 'due' | 'resting' = 'idle'
  let again = false
  const run = async (): Promise<void> => {
    do {
      again = false
      state = 'due'
      await clock.task()
      state = 'resting'
      try {
        work()
      } catch {
        // What could not be told is told with what comes next.
      }
      await clock.wait(ms)
    } while (again)
    state = 'idle'
  }
  return () => {
    if (state === 'idle') void run()
    else if (state === 'resting') again = true
  }
}
