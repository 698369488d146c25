import { setImmediate } from 'node:timers/promises'
import type { Clock } from '@waystone/core'

interface Timer {
  readonly due: number
  readonly wake: () => void
}

/** Tasks in a row in which nobody asked for one, after which nothing else is about to happen: compressing takes a few. */
const quietTasks = 40

/** A clock that jumps to the end of the next wait when nothing else can happen, so that a test waits for nothing. */
export class FastClock implements Clock {
  readonly #timers = new Set<Timer>()
  #now = 1_700_000_000_000
  #asked = 0
  #driving = false
  #stopped = false

  now(): number {
    return this.#now
  }

  task(): Promise<void> {
    this.#asked += 1
    return setImmediate()
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = (): void => {
        this.#timers.delete(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = { due: this.#now + ms, wake }
      this.#timers.add(timer)
      signal?.addEventListener('abort', wake)
      if (!this.#driving) void this.#drive()
    })
  }

  /** Nobody is woken any more. */
  stop(): void {
    this.#stopped = true
    this.#timers.clear()
  }

  async #drive(): Promise<void> {
    this.#driving = true
    for (let quiet = 0, asked = this.#asked; this.#timers.size > 0 && !this.#stopped;) {
      await setImmediate()
      quiet = asked === this.#asked ? quiet + 1 : 0
      asked = this.#asked
      if (quiet >= quietTasks) {
        this.#jump()
        quiet = 0
      }
    }
    this.#driving = false
  }

  #jump(): void {
    const [first] = [...this.#timers].toSorted((a, b) => a.due - b.due)
    if (first === undefined) return
    this.#now = Math.max(this.#now, first.due)
    first.wake()
  }
}
