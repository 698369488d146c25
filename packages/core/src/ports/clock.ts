/** Time and tasks of a platform. */
export interface Clock {
  /** Milliseconds since 1970. May jump. */
  now(): number
  /** Resolves in a later task, after the microtasks of this one; must not be clamped to 4 ms. */
  task(): Promise<void>
  /** Resolves after `ms`, or at once when the signal fires. Never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>
}

/** Cryptographically strong random bytes. */
export type Random = (bytes: number) => Uint8Array
