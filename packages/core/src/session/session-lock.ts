import { isWaystoneError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lock, Locks } from '../ports/locks.ts'

/** What holding the lock of a session needs. */
export interface SessionLockPorts {
  readonly name: string
  /** Absent: nobody else writes here. */
  readonly locks: Locks | undefined
  readonly clock: Pick<Clock, 'now' | 'wait'>
}

interface Held {
  readonly lock: Lock
  /** In ms since 1970. */
  readonly since: number
}

/**
 * The lock of a session, which all that one host does at a time shares: only other tabs wait for it, and not for long. One
 * that its browser has frozen may hold it as long as it likes; without it the head of the log still decides who was first.
 */
export class SessionLock {
  readonly #ports: SessionLockPorts
  readonly #closed = new AbortController()
  #taking: Promise<Held | undefined> | undefined
  #held: Held | undefined
  #users = 0

  constructor(ports: SessionLockPorts) {
    this.#ports = ports
  }

  /** Resolves when this host has the lock, or has waited long enough. Returns how to let go. Rejects as the port does. */
  async take(): Promise<() => void> {
    this.#users += 1
    try {
      this.#taking ??= this.#acquire()
      this.#held = await this.#taking
    } catch (error) {
      this.#letGo()
      throw error
    }
    return () => this.#letGo()
  }

  /** True while this host has the lock. */
  get isHeld(): boolean {
    if (this.#ports.locks === undefined) return true
    return this.#held !== undefined && !this.#held.lock.lost?.aborted
  }

  /** True while every other tab still waits for this one: none of them writes. */
  get isAlone(): boolean {
    const ms = this.#ports.clock.now() - (this.#held?.since ?? 0)
    const isNew = ms >= 0 && ms < limits.writeLockMsMax / 2
    return this.#ports.locks === undefined || (this.isHeld && isNew)
  }

  /** Nobody waits any more. */
  close(): void {
    this.#closed.abort()
  }

  #letGo(): void {
    this.#users -= 1
    if (this.#users > 0) return
    this.#held?.lock.release()
    this.#held = undefined
    this.#taking = undefined
  }

  async #acquire(): Promise<Held | undefined> {
    const { name, locks, clock } = this.#ports
    if (locks === undefined) return undefined
    const { signal: closed } = this.#closed
    const waiting = new AbortController()
    const giveUp = (): void => waiting.abort()
    closed.addEventListener('abort', giveUp)
    void clock.wait(limits.writeLockMsMax, waiting.signal).then(giveUp)
    try {
      if (closed.aborted) return undefined
      return { lock: await locks.acquire(name, waiting.signal), since: clock.now() }
    } catch (error) {
      if (!isWaystoneError(error, 'cancelled')) throw error
      return undefined
    } finally {
      closed.removeEventListener('abort', giveUp)
      giveUp()
    }
  }
}
