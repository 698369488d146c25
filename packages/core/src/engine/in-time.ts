import type { WaystoneError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Waker } from '../waker.ts'

/** Resolves when `first` does, or when `ms` are over. Leaves no timer behind. */
export async function within(clock: Clock, ms: number, first: Promise<unknown>): Promise<void> {
  const stop = new AbortController()
  await Promise.race([first, clock.wait(ms, stop.signal)])
  // With a reason: without one engines make an exception with its stack, which takes longer than a whole step.
  stop.abort(null)
}

/** Resolves at the next `wake`, or when `ms` are over; without `ms` at the next `wake`. Leaves nothing that waits behind. */
export async function nextWithin(clock: Clock, ms: number | undefined, waker: Waker): Promise<void> {
  if (ms === undefined) return waker.next()
  const stop = new AbortController()
  await Promise.race([waker.next(stop.signal), clock.wait(ms, stop.signal)])
  stop.abort(null)
}

/** What `work` gives, or rejects with what `late` makes when `ms` are over first. Leaves no timer behind. */
export async function inTime<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  late: () => WaystoneError,
): Promise<T> {
  const stop = new AbortController()
  const over = clock.wait(ms, stop.signal).then((): T | Promise<T> => {
    // Whoever stopped the wait has what it waited for.
    if (stop.signal.aborted) return work
    throw late()
  })
  over.catch(() => undefined)
  try {
    return await Promise.race([work, over])
  } finally {
    stop.abort(null)
  }
}
