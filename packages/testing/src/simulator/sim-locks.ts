import { WaystoneError, type Locks } from '@waystone/core'
import type { Realm, Scheduler } from './scheduler.ts'

interface Claimant {
  readonly realm: Realm
  readonly grant: () => void
}

/** A browser finds out in this time that a holder has crashed, in ms (Chromium 156, 2026-11). */
const crashMs = 120

/** A lock whose holder does not answer for this long is given to another, in ms. */
const stealMs = 20_000

/**
 * The locks of one device, shared by its tabs. A dead holder's are released; a frozen one's are given to another after a
 * while, so that two tabs believe that they hold it.
 */
export class SimLocks {
  readonly #scheduler: Scheduler
  readonly #queues = new Map<string, Claimant[]>()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  of(realm: Realm): Locks {
    return {
      acquire: (name, signal) =>
        new Promise((resolve, reject) => {
          const queue = this.#queues.get(name) ?? []
          this.#queues.set(name, queue)
          const grant = (): void => resolve({ release: () => this.#leave(name, claimant) })
          const claimant: Claimant = { realm, grant }
          if (signal.aborted) return reject(givenUp(name))
          signal.addEventListener('abort', () => {
            if (queue.indexOf(claimant) <= 0) return
            queue.splice(queue.indexOf(claimant), 1)
            reject(givenUp(name))
          })
          queue.push(claimant)
          if (queue.length === 1) this.#grant(claimant)
          else this.#watch(name)
        }),
    }
  }

  /** A realm has died: what it held is free, and it waits for nothing. */
  died(realm: Realm): void {
    this.#scheduler.after(crashMs, 'lock of the dead', undefined, () =>
      this.#drop((one) => one.realm === realm),
    )
  }

  #watch(name: string): void {
    this.#scheduler.after(stealMs, 'look at the holder', undefined, () => {
      const [holder, next] = this.#queues.get(name) ?? []
      if (holder && next && holder.realm.frozen) {
        this.#leave(name, holder)
      } else if (next) this.#watch(name)
    })
  }

  #drop(gone: (claimant: Claimant) => boolean): void {
    for (const [name, queue] of this.#queues)
      for (const claimant of queue.filter(gone)) this.#leave(name, claimant)
  }

  #leave(name: string, claimant: Claimant): void {
    const queue = this.#queues.get(name) ?? []
    const at = queue.indexOf(claimant)
    if (at < 0) return
    queue.splice(at, 1)
    const next = queue[0]
    if (at === 0 && next) this.#grant(next)
  }

  #grant({ realm, grant }: Claimant): void {
    this.#scheduler.after(0.01, 'lock', realm, grant)
  }
}

function givenUp(name: string): WaystoneError {
  return new WaystoneError('cancelled', `waiting for lock "${name}" was given up`)
}
