import { toWire, WaystoneError } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import type { ConnectionOptions } from './connection.ts'
import { newDevice, openIndexedDb, type BrowserStorage } from './open-indexed-db.ts'
import { nameOf } from './storage-error.ts'
import { StorageWatch } from './storage-state.ts'

/** A storage, and whether it outlives the page. */
export type AnyStorage = BrowserStorage &
  (
    | { readonly storage: 'indexeddb' }
    /** `reason` says why the browser refused to store: show it. */
    | { readonly storage: 'memory'; readonly reason: WaystoneError }
  )

/**
 * Opens the database of a name, or keeps everything in memory where the browser offers no storage: in private modes of
 * some browsers, sandboxed frames, or with site data blocked. A database that is there and cannot be opened is not
 * replaced: that rejects with `storage_failed`.
 */
export async function storageFor(name: string, options: ConnectionOptions = {}): Promise<AnyStorage> {
  try {
    return { storage: 'indexeddb', ...(await openIndexedDb(name, options)) }
  } catch (error) {
    if (!(error instanceof WaystoneError) || !refusals.has(nameOf(error.cause))) throw error
    const device = newDevice()
    const watch = new StorageWatch()
    watch.set({ state: 'memory', error: toWire(error) })
    return {
      storage: 'memory',
      reason: error,
      ...memoryStorage(),
      device: () => Promise.resolve(device),
      onState: (listener) => watch.listen(listener),
      made: true,
    }
  }
}

/**
 * How browsers refuse: none at all (NotSupportedError), an origin or a setting that forbids it (SecurityError,
 * NotAllowedError), private windows of Firefox before 115 (InvalidStateError), no room for anything
 * (QuotaExceededError).
 */
const refusals = new Set([
  'NotSupportedError',
  'SecurityError',
  'NotAllowedError',
  'InvalidStateError',
  'QuotaExceededError',
])
