import type { Clock } from '@waystone/core'
import type { Dice } from './dice.ts'
import type { Realm, Scheduler } from './scheduler.ts'

/** When simulations begin, in ms since 1970. */
const epoch = 1_700_000_000_000

/** The clock of one realm: the time of its machine, which may jump, and tasks that others work between. */
export function realmClock(
  realm: Realm,
  {
    scheduler,
    dice,
    skew,
  }: { readonly scheduler: Scheduler; readonly dice: Dice; readonly skew: () => number },
): Clock {
  return {
    now: () => Math.floor(epoch + scheduler.now + skew()),
    task: () =>
      new Promise((resolve) => {
        scheduler.inLine('task', dice.between(0.001, 0.05), 'task', realm, resolve)
      }),
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const wake = (): void => {
          due.cancelled = true
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const due = scheduler.after(Math.max(0, ms) + dice.between(0, 0.1), 'timer', realm, wake)
        signal?.addEventListener('abort', wake)
      }),
  }
}
