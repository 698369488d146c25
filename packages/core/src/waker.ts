/** Lets many wait for the next time that something happens. */
export class Waker {
  readonly #waiting = new Set<() => void>()

  /** Resolves at the next `wake`, or when the signal fires; the signal may outlive many of them. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#waiting.delete(go)
        signal?.removeEventListener('abort', go)
        resolve()
      }
      if (signal?.aborted) return resolve()
      this.#waiting.add(go)
      signal?.addEventListener('abort', go)
    })
  }

  wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const go of waiting) go()
  }
}
