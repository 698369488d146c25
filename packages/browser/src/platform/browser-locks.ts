import { WaystoneError, type Locks } from '@waystone/core'
import { memoryLocks } from '@waystone/core/memory'

/**
 * Web Locks, released by the browser when their tab or worker ends: 14 ms after a tab is closed, 120 ms after its
 * renderer crashed (Chromium 156, 2026-11). Insecure contexts have none (http on a local network): there tabs ask each
 * other. Either way only a hint: the head of the log is the fence.
 */
export function browserLocks(name: string): Locks {
  return 'locks' in navigator ? webLocks(name, navigator.locks) : askedLocks(name)
}

function webLocks(name: string, manager: LockManager): Locks {
  const alone = memoryLocks()
  return {
    acquire: (lock, signal) =>
      new Promise((resolve, reject) => {
        const options = { signal } as LockOptions
        manager
          .request(`${name}:${lock}`, options, () => new Promise<void>((release) => resolve({ release })))
          .catch((cause: unknown) => {
            // Sandboxed frames, and sites whose data is blocked (Chromium 156, 2026-11): they share no storage either.
            if (isRefusal(cause)) alone.acquire(lock, signal).then(resolve, reject)
            else reject(givenUp(lock, cause))
          })
      }),
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'SecurityError'
}

interface LockMessage {
  readonly type: 'ask' | 'held' | 'released'
  readonly lock: string
}

/** How long a holder has to answer, and how often to ask again, in ms. */
const answerMs = 150
const askAgainMs = 1_000

function askedLocks(name: string): Locks {
  const channel = new BroadcastChannel(`waystone-locks-${name}`)
  const held = new Set<string>()
  const post = (message: LockMessage): void => channel.postMessage(message)
  channel.addEventListener('message', ({ data }: MessageEvent<LockMessage>) => {
    if (data.type === 'ask' && held.has(data.lock)) post({ type: 'held', lock: data.lock })
  })

  /** True when nobody answers that they hold the lock. */
  const isFree = (lock: string): Promise<boolean> =>
    new Promise((resolve) => {
      const end = (free: boolean): void => {
        clearTimeout(timer)
        channel.removeEventListener('message', hear)
        resolve(free)
      }
      const hear = ({ data }: MessageEvent<LockMessage>): void => {
        if (data.type === 'held' && data.lock === lock) end(false)
      }
      const timer = setTimeout(() => end(true), answerMs)
      channel.addEventListener('message', hear)
      post({ type: 'ask', lock })
    })
  const released = (lock: string, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        channel.removeEventListener('message', hear)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const hear = ({ data }: MessageEvent<LockMessage>): void => {
        if (data.type === 'released' && data.lock === lock) end()
      }
      const timer = setTimeout(end, askAgainMs)
      channel.addEventListener('message', hear)
      signal.addEventListener('abort', end)
    })

  return {
    async acquire(lock, signal) {
      while (!signal.aborted) {
        if (!held.has(lock) && (await isFree(lock))) {
          held.add(lock)
          return {
            release: () => {
              held.delete(lock)
              post({ type: 'released', lock })
            },
          }
        }
        await released(lock, signal)
      }
      throw givenUp(lock)
    },
  }
}

function givenUp(lock: string, cause?: unknown): WaystoneError {
  return new WaystoneError(
    'cancelled',
    `waiting for lock "${lock}" was given up`,
    cause === undefined ? {} : { cause },
  )
}
