import { WaystoneError } from '../errors.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Remote } from '../ports/remote.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { Edge } from '../sync/syncer.ts'
import { testClock, testRandom } from '../runtime/memory-world.test-support.ts'
import { openSession } from './open-session.ts'
import type { SessionOptions } from './options.ts'
import type { Session } from './session.ts'

/** The state of most tests. */
export interface Notes {
  notes: string[]
  count: number
}

export type TestOptions<State> = Partial<SessionOptions<State>>

/** Opens a session of notes in memory, or of whatever the options say. */
export function open(options: TestOptions<Notes> = {}): Promise<Session<Notes>> {
  return openSession<Notes>({ ...defaults(), initial: () => ({ notes: [], count: 0 }), ...options })
}

/** Opens a session with another state. */
export function openAs<State>(initial: State, options: TestOptions<State> = {}): Promise<Session<State>> {
  return openSession<State>({ ...defaults(), initial, ...options })
}

function defaults() {
  return { storage: memoryStorage(), id: 'notes', me: 'laptop', clock: testClock, random: testRandom }
}

/** All that a generator gives. */
export async function listed<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** What a range has, as pairs. */
export async function pairs(
  range: AsyncIterable<{ readonly key: string; readonly value: unknown }>,
): Promise<readonly (readonly [string, unknown])[]> {
  return (await listed(range)).map(({ key, value }) => [key, value])
}

/** Resolves when a condition holds; the test's own time limit ends what never comes. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await testClock.task()
}

/** An edge behind a network that can be cut. */
export function cuttable(edge: Edge) {
  let isCut = false
  const listening = new Set<(online: boolean) => void>()
  const guard = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown
        return async (...args: unknown[]): Promise<unknown> => {
          if (isCut) throw new WaystoneError('unreachable', 'the network is cut')
          return method.apply(target, args)
        }
      },
    })
  const follow: Remote['follow'] = (run, options) => {
    const onEvent: typeof options.onEvent = (event) => {
      if (!isCut) options.onEvent(event)
    }
    const onState = (online: boolean): void => options.onState(online && !isCut)
    listening.add(onState)
    const following = edge.remote.follow(run, { ...options, onEvent, onState })
    return {
      ...following,
      close: () => {
        listening.delete(onState)
        following.close()
      },
    }
  }
  return {
    edge: { remote: { ...guarded(guard(edge.remote)), follow }, blobs: guard(edge.blobs) },
    cut(): void {
      isCut = true
      for (const hear of listening) hear(false)
    },
    mend(): void {
      isCut = false
      for (const hear of listening) hear(true)
    },
  }
}

function guarded(remote: Remote): Omit<Remote, 'follow'> {
  const { push, pull, claim, hold, blockers, send } = remote
  return { push, pull, claim, hold, blockers, send }
}

/** The same storage, as a process has it that is killed when it begins its next write after so many. */
export function mortal(storage: RunStorage, writes: number) {
  let left = writes
  const never = new Promise<never>(() => undefined)
  const dying = <Port extends object>(port: Port, names: readonly string[]): Port =>
    new Proxy(port, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown
        return (...args: unknown[]): unknown => {
          if (names.includes(String(name))) left -= 1
          return left < 0 ? never : method.apply(target, args)
        }
      },
    })
  return {
    storage: {
      ...storage,
      store: dying(storage.store, ['append', 'compact']),
      snapshots: dying(storage.snapshots, ['put', 'remove']),
      blobs: dying(storage.blobs, ['put', 'remove']),
    },
    isDead: () => left < 0,
  }
}
