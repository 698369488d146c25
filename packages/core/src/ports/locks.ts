/** A lock that is held. */
export interface Lock {
  release(): void
  /** Fires when the lock was let go of without `release`, as a page that is frozen does. Absent: it never is. */
  readonly lost?: AbortSignal
}

/** Says which of several hosts of one store may try to write. Only a hint: the head of the log is the fence. */
export interface Locks {
  /**
   * Resolves when this host holds the lock; call `release` to let go. Rejects with `cancelled` when the signal fires
   * first. A lock is released by itself when its host dies.
   */
  acquire(name: string, signal: AbortSignal): Promise<Lock>
}
