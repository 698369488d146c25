import { newId, parseOwnerId, toWire, type OwnerId, type RunStorage } from '@waystone/core'
import { Connection, type ConnectionOptions } from './connection.ts'
import type { Database } from './database.ts'
import { indexedBlobs } from './indexed-blobs.ts'
import { indexedInbox } from './indexed-inbox.ts'
import { indexedLogStore } from './indexed-log-store.ts'
import { indexedSnapshots } from './indexed-snapshots.ts'
import { indexedStreams } from './indexed-streams.ts'
import { indexedTails } from './indexed-tails.ts'
import { remember, wasThere } from './remembered.ts'
import { storageEmptied } from './storage-error.ts'
import type { StorageListener } from './storage-state.ts'
import { read, write } from './transact.ts'

/** All that a browser keeps. After `store.close`, which waits for work under way, all reject with `closed`. */
export interface BrowserStorage extends RunStorage {
  /** The id of this browser profile, made once. */
  device(): Promise<OwnerId>
  /** How it keeps what is written: hears it at once, and whenever it changes. Returns how to stop. */
  onState(listener: StorageListener): () => void
  /** True when there was nothing of this name before. */
  readonly made: boolean
  /** What was damaged, so that the browser has made it anew, where it says so. */
  readonly damage?: string | undefined
}

/**
 * Opens, or makes, the database `waystone-<name>`.
 *
 * Rejects with `storage_failed`, also when another tab keeps the database from being opened, and `format_newer` for one of a
 * later Waystone. From then on an operation
 * rejects with `storage_full` when the browser gives no more room, `storage_lost` when it has thrown the database away,
 * and `storage_failed` for all else; what it was to write is not stored.
 */
export async function openIndexedDb(name: string, options: ConnectionOptions = {}): Promise<BrowserStorage> {
  const isKnown = wasThere(name)
  const connection = new Connection(`waystone-${name}`, options)
  await connection.use(() => Promise.resolve())
  const { made, damage, watch } = connection
  // What a page remembers of a database may not have reached the disk when its browser was killed.
  if (made && (isKnown || damage !== undefined))
    watch.set({ state: 'emptied', error: toWire(storageEmptied(name, damage)) })
  remember(name)
  return {
    store: indexedLogStore(connection),
    tails: indexedTails(connection),
    snapshots: indexedSnapshots(connection),
    blobs: indexedBlobs(connection),
    inbox: indexedInbox(connection),
    streams: indexedStreams(connection),
    device: () => connection.use(deviceOf),
    onState: (listener) => watch.listen(listener),
    made,
    damage,
  }
}

/** A new random id for a browser profile. */
export function newDevice(): OwnerId {
  return parseOwnerId(newId((bytes) => crypto.getRandomValues(new Uint8Array(bytes))))
}

async function deviceOf(db: Database): Promise<OwnerId> {
  const known: unknown = await read(db, ['meta'], (tx) => tx.objectStore('meta').get('device'))
  return known === undefined ? makeDevice(db) : parseOwnerId(known)
}

function makeDevice(db: Database): Promise<OwnerId> {
  // Read and made in one transaction, so that two tabs that open at once agree.
  return write(db, ['meta'], 'strict', async (tx) => {
    const meta = tx.objectStore('meta')
    const known = await meta.get('device')
    if (known !== undefined) return parseOwnerId(known)
    const made = newDevice()
    await meta.put(made, 'device')
    return made
  })
}
