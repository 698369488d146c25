import { WaystoneError, type RunId } from '@waystone/core'
import { storeEveryMs } from '../store/sql-streams.ts'
import { edgeClock } from './edge-clock.ts'

/** How many readers of one run may be open at a time. */
export const readersMax = 32

/** Tells the readers of a run that there is something to read; what, they pull by their cursors. */
export class RunChanges {
  #count = 0
  #readers = 0
  #beating = false
  #next = Promise.withResolvers<void>()

  /** Grows with every change. A reader looks at it before it reads, so that it misses none while it does. */
  get count(): number {
    return this.#count
  }

  /** One reader more; gives how it leaves. Throws `limit_exceeded`. */
  join(run: RunId): () => void {
    if (this.#readers >= readersMax) {
      throw new WaystoneError(
        'limit_exceeded',
        `run ${run} has ${String(readersMax)} event streams open, which is all it may have: close one, or follow it over the WebSocket`,
        { run },
      )
    }
    this.#readers += 1
    let left = false
    return () => {
      if (!left) this.#readers -= 1
      left = true
    }
  }

  /** Something to be read at once. */
  now(): void {
    this.#count += 1
    this.#next.resolve()
    this.#next = Promise.withResolvers()
  }

  /** Text, or a live call: all readers hear of it together, as often at most as text is stored. */
  soon(): void {
    if (this.#readers === 0 || this.#beating) return
    this.#beating = true
    void edgeClock.wait(storeEveryMs).then(() => {
      this.#beating = false
      this.now()
    })
  }

  /** Waits for a change after `count`, for `ms` at most; false when there was none. */
  async after(count: number, ms: number, signal: AbortSignal): Promise<boolean> {
    if (this.#count !== count || signal.aborted) return true
    const stop = new AbortController()
    const end = (): void => stop.abort()
    signal.addEventListener('abort', end)
    await Promise.race([this.#next.promise, edgeClock.wait(ms, stop.signal)])
    signal.removeEventListener('abort', end)
    stop.abort()
    return this.#count !== count
  }
}
