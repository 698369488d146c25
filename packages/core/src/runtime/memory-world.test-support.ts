import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { OwnerId } from '../ids.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { parseHead } from '../sync/wire.ts'
import { memoryChannels, memoryLocks } from '../memory/memory-hosts.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import type { Clock } from '../ports/clock.ts'
import type { Locks } from '../ports/locks.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { RunHandle } from './run-handle.ts'
import type { RuntimePorts } from './run-node.ts'
import { Runtime } from './runtime.ts'
import type { Software } from '../log/written.ts'
import type { SyncPolicy } from '../sync/step.ts'
import type { Edge } from '../sync/syncer.ts'

/** The clock of the test process. */
export const testClock: Clock = {
  now: () => Date.now(),
  task: () => setImmediate(),
  wait: (ms, signal) =>
    sleep(ms, undefined, signal ? { signal: signal as globalThis.AbortSignal } : {}).catch(() => undefined),
}

/** A clock whose waits are a hundred times shorter than they say, for what takes a minute by design. */
export const hastyClock: Clock = { ...testClock, wait: (ms, signal) => testClock.wait(ms / 100, signal) }

export const testRandom = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))

/** A device with storage in memory that outlives the hosts opened on it, as a browser profile outlives its tabs. */
export function testDevice(
  agents: readonly AnyAgent[],
  options: {
    readonly name?: string
    readonly edge?: Edge
    readonly clock?: Clock
    readonly locks?: Locks
    readonly development?: boolean
    /** That of another device, opened under other circumstances. */
    readonly storage?: RunStorage
    readonly software?: Software
    readonly syncPolicy?: SyncPolicy
  } = {},
) {
  const channels = memoryChannels()
  const shared = {
    ...(options.storage ?? memoryStorage()),
    locks: options.locks ?? memoryLocks(),
  }
  const ports = (): RuntimePorts => ({
    ...shared,
    store: { ...shared.store, close: () => Promise.resolve() },
    me: (options.name ?? 'laptop') as OwnerId,
    place: 'browser',
    clock: options.clock ?? testClock,
    random: testRandom,
    channel: channels(),
    agents,
    development: options.development ?? false,
    ...(options.edge ? { edge: options.edge } : {}),
    ...(options.syncPolicy ? { syncPolicy: options.syncPolicy } : {}),
    ...(options.software ? { software: options.software } : {}),
  })
  return {
    ...shared,
    channels,
    open: (changes: Partial<RuntimePorts> = {}) => Runtime.open({ ...ports(), ...changes }),
  }
}

/** Opens a handle of a run. */
export function handleOf<State = unknown, Result = unknown>(
  runtime: Runtime,
  run: string,
  seen?: string,
): Promise<RunHandle<State, Result>> {
  const options = seen === undefined ? {} : { seen: parseHead(seen) }
  return RunHandle.open<State, Result>(run as never, runtime, testRandom, options)
}
