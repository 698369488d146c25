import {
  WaystoneError,
  type Digest,
  type LogStore,
  type RunId,
  type RunStorage,
  type RuntimePorts,
  type Streams,
} from '@waystone/core'
import { memoryChannels, memoryLocks, memoryStorage } from '@waystone/core/memory'
import { codePlace } from './code-place.ts'
import type { Scene } from './scene.ts'

/** When a host dies. */
export type KillPoint =
  /** After this many entries; `late`: everything that follows from them has happened but for the next entry. */
  | { readonly entries: number; readonly late: boolean }
  /** After this many pieces of a stream. */
  | { readonly stream: string; readonly pieces: number }

/** More entries than any test is meant to write: a run that writes them does not end. */
const entriesMax = 10_000

/** The id of a run under test; runs that it starts have others. */
export const testRunId = 'run' as RunId

/** What one host works with, and whether it was killed. */
export interface HostLife {
  readonly ports: Pick<RuntimePorts, keyof RunStorage | 'locks' | 'channel' | 'clock' | 'random'>
  readonly isKilled: () => boolean
}

/** Storage in memory that outlives its hosts, as a disk outlives processes. */
export class TestDevice {
  /** Every text that was streamed, by the path of its step. */
  readonly texts = new Map<string, string>()
  /** How many pieces each stream was written in. */
  readonly pieces = new Map<string, number>()
  readonly #storage = memoryStorage()
  readonly #random = countingBytes()

  /** A new host on this device. A killed one changes nothing any more: what it asks of its ports never comes back. */
  host(scene: Scene, kill?: KillPoint): HostLife {
    const life = { killed: false }
    const mortal = <P extends object>(port: P): P =>
      new Proxy(port, {
        get(target, key) {
          const method: unknown = Reflect.get(target, key)
          if (typeof method !== 'function') return method
          return (...args: readonly unknown[]): unknown =>
            life.killed ? never() : Reflect.apply(method as () => unknown, target, args)
        },
      })
    const die = (): Promise<never> => {
      life.killed = true
      return never()
    }
    const store = {
      ...this.#storage.store,
      append: this.#appending(scene, kill, die),
      close: () => Promise.resolve(),
    }
    const ports = {
      store: mortal<LogStore>(store),
      tails: mortal(this.#storage.tails),
      snapshots: mortal(this.#storage.snapshots),
      blobs: mortal(this.#storage.blobs),
      inbox: mortal(this.#storage.inbox),
      streams: mortal<Streams>({ ...this.#storage.streams, append: this.#streaming(kill, die) }),
      locks: memoryLocks(),
      channel: memoryChannels()(),
      clock: scene.clock,
      random: this.#random,
    }
    return { ports, isKilled: () => life.killed }
  }

  /** The bytes of an artifact. */
  blob(hash: string): Promise<Uint8Array | undefined> {
    return this.#storage.blobs.get(testRunId, hash as Digest)
  }

  #appending(scene: Scene, kill: KillPoint | undefined, die: () => Promise<never>): LogStore['append'] {
    return async (run, append) => {
      const kept = ((await this.#storage.store.head(run))?.seq ?? -1) + 1
      if (kept > entriesMax) scene.fail(tooManyEntries(run))
      if (run !== testRunId || kill === undefined || !('entries' in kill))
        return this.#storage.store.append(run, append)
      const room = kill.entries - kept
      if (room > append.lines.length || (room === append.lines.length && kill.late))
        return this.#storage.store.append(run, append)
      const { summary, end: _, ...rest } = append
      const lines = append.lines.slice(0, room)
      // A summary tells of the last line, which is not there when the lines are cut.
      if (lines.length > 0)
        await this.#storage.store.append(run, {
          ...rest,
          lines,
          ...(summary ? { summary: unfinished(summary) } : {}),
        })
      return die()
    }
  }

  #streaming(kill: KillPoint | undefined, die: () => Promise<never>): Streams['append'] {
    return async (run, stream, chunk) => {
      await this.#storage.streams.append(run, stream, chunk)
      if (run !== testRunId) return
      const pieces = (this.pieces.get(stream) ?? 0) + 1
      this.pieces.set(stream, pieces)
      this.texts.set(stream, (this.texts.get(stream) ?? '').slice(0, chunk.at) + chunk.text)
      if (kill && 'stream' in kill && kill.stream === stream && kill.pieces === pieces) await die()
    }
  }
}

/** What a host that is no more gives: nothing. The body that asked is not waited for either. */
function never(): Promise<never> {
  const place = codePlace()
  if (place?.in === 'body') {
    place.body.idle += 1
    place.body.scene.moved()
  }
  return new Promise(() => undefined)
}

/** Bytes that are as good as random for ids, and the same in every run of a test. */
function countingBytes(): (bytes: number) => Uint8Array {
  let state = 0x9e3779b9
  return (bytes) =>
    Uint8Array.from({ length: bytes }, () => {
      state = (Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0x6d2b79f5) >>> 0
      return state >>> 24
    })
}

function unfinished<S extends { readonly status: string }>(summary: S): S {
  return { ...summary, status: 'running' }
}

function tooManyEntries(run: RunId): WaystoneError {
  return new WaystoneError(
    'limit_exceeded',
    `the run has written ${String(entriesMax)} entries and not ended: is there a turn that never says done()?`,
    { run },
  )
}
