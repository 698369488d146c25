import { WaystoneError } from '../errors.ts'
import type { Channel } from '../ports/channel.ts'
import type { Locks } from '../ports/locks.ts'

/** Locks within one process. */
export function memoryLocks(): Locks {
  const queues = new Map<string, (() => void)[]>()
  return {
    acquire: (name, signal) =>
      new Promise((resolve, reject) => {
        const waiting = queues.get(name)
        const next = (): void => {
          const rest = queues.get(name)
          const then = rest?.shift()
          if (then) then()
          else queues.delete(name)
        }
        let released = false
        const grant = (): void =>
          resolve({
            release: () => {
              if (!released) next()
              released = true
            },
          })
        if (signal.aborted) return reject(cancelled(name))
        if (waiting === undefined) {
          queues.set(name, [])
          return grant()
        }
        waiting.push(grant)
        signal.addEventListener('abort', () => {
          const at = waiting.indexOf(grant)
          if (at >= 0) waiting.splice(at, 1)
          reject(cancelled(name))
        })
      }),
  }
}

/** Channels within one process: each hears what the others of the same hub post. */
export function memoryChannels(): () => Channel {
  const listeners = new Set<{ readonly of: object; readonly hear: (message: unknown) => void }>()
  return () => {
    const self = {}
    const mine = new Set<{ readonly of: object; readonly hear: (message: unknown) => void }>()
    return {
      post(message) {
        for (const { of, hear } of [...listeners])
          if (of !== self) void Promise.resolve().then(() => hear(message))
      },
      listen(hear) {
        const entry = { of: self, hear }
        listeners.add(entry)
        mine.add(entry)
        return () => listeners.delete(entry)
      },
      close() {
        for (const entry of mine) listeners.delete(entry)
      },
    }
  }
}

function cancelled(name: string): WaystoneError {
  return new WaystoneError('cancelled', `waiting for lock "${name}" was given up`)
}
