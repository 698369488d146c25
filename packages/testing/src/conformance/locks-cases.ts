import type { Locks } from '@waystone/core'
import type { Case } from './case.ts'
import { expectCode, expectEqual } from './expect.ts'

/** Locks as the hosts of one store have them. */
export interface LocksSubject {
  /** The locks of one more host. */
  host(): Locks
}

/** The contract of `Locks`. */
export const locksCases: readonly Case<LocksSubject>[] = [
  {
    name: 'acquire() gives a lock to one host at a time, and to each that waits in the end',
    async run(subject) {
      const hosts = await subject()
      let holders = 0
      let most = 0
      const got: number[] = []
      const work = async (locks: Locks, number: number): Promise<void> => {
        const lock = await locks.acquire('run', new AbortController().signal)
        holders += 1
        most = Math.max(most, holders)
        got.push(number)
        for (let count = 0; count < 50; count += 1) await undefined
        holders -= 1
        lock.release()
      }
      await Promise.all([0, 1, 2, 3].map((number) => work(hosts.host(), number)))
      expectEqual(most, 1, 'how many held it at once')
      expectEqual(got.toSorted(), [0, 1, 2, 3], 'who got it')
    },
  },
  {
    name: 'acquire() of the same host waits for its own release',
    async run(subject) {
      const locks = (await subject()).host()
      const { signal } = new AbortController()
      const first = await locks.acquire('run', signal)
      let isHeld = true
      const second = locks.acquire('run', signal).then((lock) => {
        expectEqual(isHeld, false, 'whether it was held twice')
        lock.release()
      })
      await (await locks.acquire('other', signal)).release()
      isHeld = false
      first.release()
      await second
    },
  },
  {
    name: 'locks of other names are apart',
    async run(subject) {
      const hosts = await subject()
      const { signal } = new AbortController()
      const names = ['run', 'run-1', 'ä/ :*', '']
      const locks = await Promise.all(names.map((name) => hosts.host().acquire(`a${name}`, signal)))
      for (const lock of locks) lock.release()
      expectEqual(locks.length, names.length, 'how many were held at once')
    },
  },
  {
    name: 'acquire() rejects with `cancelled` when its signal has fired, or fires while it waits',
    async run(subject) {
      const hosts = await subject()
      const [one, other] = [hosts.host(), hosts.host()]
      const controller = new AbortController()
      const held = await one.acquire('run', new AbortController().signal)
      const waiting = other.acquire('run', controller.signal)
      controller.abort()
      await expectCode(waiting, 'cancelled', 'a wait that was given up')
      await expectCode(other.acquire('run', controller.signal), 'cancelled', 'a wait that never began')
      await expectCode(other.acquire('free', controller.signal), 'cancelled', 'the same for a free lock')
      held.release()
      // Who gave up holds up nobody.
      for (const name of ['run', 'free']) (await one.acquire(name, new AbortController().signal)).release()
    },
  },
  {
    name: 'a signal that fires later takes no lock away',
    async run(subject) {
      const hosts = await subject()
      const controller = new AbortController()
      const held = await hosts.host().acquire('run', controller.signal)
      controller.abort()
      const patience = new AbortController()
      const waiting = hosts.host().acquire('run', patience.signal)
      const { signal } = new AbortController()
      ;(await hosts.host().acquire('other', signal)).release()
      patience.abort()
      await expectCode(waiting, 'cancelled', 'a wait for the lock')
      held.release()
    },
  },
  {
    name: 'release() twice lets go once: it does not take the lock from the next',
    async run(subject) {
      const hosts = await subject()
      const { signal } = new AbortController()
      const first = await hosts.host().acquire('run', signal)
      first.release()
      const second = await hosts.host().acquire('run', signal)
      first.release()
      let isHeld = true
      const third = hosts
        .host()
        .acquire('run', signal)
        .then((lock) => {
          expectEqual(isHeld, false, 'whether it was held twice')
          lock.release()
        })
      ;(await hosts.host().acquire('other', signal)).release()
      isHeld = false
      second.release()
      await third
    },
  },
]
