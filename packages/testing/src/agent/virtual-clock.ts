import type { Clock } from '@waystone/core'

interface Timer {
  readonly ms: number
  readonly due: number
  readonly wake: () => void
}

interface NodeTimers {
  setImmediate(work: () => void): void
  setTimeout(work: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

// Taken at import: a test may put fake timers in their place later.
const { setImmediate, setTimeout, clearTimeout } = globalThis as unknown as NodeTimers

/** A later task of the real event loop. */
export function realTask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Real time: false when it was over before `event`. */
export async function within(ms: number, event: Promise<void>): Promise<boolean> {
  let timer: unknown
  const over = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), ms)))
  const came = await Promise.race([event.then(() => true as const), over])
  clearTimeout(timer)
  return came
}

/** A clock that stands until it is told to jump. Its tasks are real ones, so that promises settle between them. */
export class VirtualClock implements Clock {
  readonly #timers = new Set<Timer>()
  readonly #onTask: () => void
  #now: number
  #tasks = 0

  constructor(now: number, onTask: () => void) {
    this.#now = now
    this.#onTask = onTask
  }

  now(): number {
    return this.#now
  }

  task(): Promise<void> {
    this.#tasks += 1
    this.#onTask()
    return realTask().then(() => void (this.#tasks -= 1))
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = (): void => {
        this.#timers.delete(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = { ms, due: this.#now + ms, wake }
      this.#timers.add(timer)
      signal?.addEventListener('abort', wake)
    })
  }

  /** True while somebody waits for a task: something is about to happen. */
  get isBusy(): boolean {
    return this.#tasks > 0
  }

  /** When the first wait is over, in ms since 1970; undefined when nobody waits. */
  get next(): number | undefined {
    return this.#timers.size === 0 ? undefined : Math.min(...[...this.#timers].map(({ due }) => due))
  }

  /** Ends the waits of exactly this length without passing time. False when there is none. */
  skip(ms: number): boolean {
    const some = [...this.#timers].filter((timer) => timer.ms === ms)
    for (const { wake } of some) wake()
    return some.length > 0
  }

  /** Sets the time, which never goes back, and ends the waits that are over then, the earliest first. */
  jump(to: number): void {
    this.#now = Math.max(this.#now, to)
    const over = [...this.#timers].filter(({ due }) => due <= this.#now)
    for (const { wake } of over.sort((a, b) => a.due - b.due)) wake()
  }
}
