import { WaystoneError, type Locks } from '@waystone/core'

/** Locks that a page lets go of before it stands still: its browser would keep them for it, and everybody else wait. */
export interface PageLocks extends Locks {
  /** Lets go of what is held and waited for, and takes nothing more: the head of the log is the fence. */
  leave(): void
  /** The page goes on. */
  comeBack(): void
}

/** The locks of a page that may be frozen, made of those of its browser. */
export function pageLocks(locks: Locks): PageLocks {
  const leaving = new Set<() => void>()
  let isAway = false
  return {
    async acquire(name, signal) {
      const waiting = new AbortController()
      const giveUp = (): void => waiting.abort()
      if (isAway || signal.aborted) giveUp()
      signal.addEventListener('abort', giveUp)
      leaving.add(giveUp)
      try {
        const { release } = await locks.acquire(name, waiting.signal)
        const lost = new AbortController()
        const lose = (): void => {
          letGo()
          lost.abort()
        }
        const letGo = (): void => {
          if (leaving.delete(lose)) release()
        }
        leaving.add(lose)
        if (!waiting.signal.aborted) return { release: letGo, lost: lost.signal }
        // The page has left in the moment in which it was given.
        letGo()
        throw new WaystoneError('cancelled', `waiting for lock "${name}" was given up`)
      } finally {
        leaving.delete(giveUp)
        signal.removeEventListener('abort', giveUp)
      }
    },
    leave() {
      isAway = true
      for (const go of [...leaving]) go()
    },
    comeBack() {
      isAway = false
    },
  }
}
