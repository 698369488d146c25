import { WaystoneError } from '@waystone/core'
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { OwnKeys, StoredDevice } from './device-keys.ts'

interface Schema extends DBSchema {
  readonly devices: { readonly key: string; readonly value: StoredDevice }
}

/**
 * The keys of this browser profile, in a database of their own. The private one cannot be read by any script: it can only be
 * used here. `name` keeps several people or applications of one origin apart.
 */
export function indexedOwnKeys(name = 'default'): OwnKeys {
  const open = (): Promise<IDBPDatabase<Schema>> =>
    openDB<Schema>('waystone keys', 1, { upgrade: (made) => void made.createObjectStore('devices') })
  const use = async <T>(work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> => {
    try {
      const database = await open()
      try {
        return await work(database)
      } finally {
        database.close()
      }
    } catch (cause) {
      if (cause instanceof WaystoneError) throw cause
      throw new WaystoneError('storage_failed', 'this browser did not keep the keys of this device', {
        cause,
        actions: ['retry'],
      })
    }
  }
  return {
    load: () => use((database) => database.get('devices', name)),
    add: (device) =>
      use(async (database) => {
        const tx = database.transaction('devices', 'readwrite', { durability: 'strict' })
        const before = await tx.store.get(name)
        if (before === undefined) await tx.store.put(device, name)
        await tx.done
        return before ?? device
      }),
    saw: (keyring) =>
      use(async (database) => {
        const tx = database.transaction('devices', 'readwrite')
        const device = await tx.store.get(name)
        const seen = device?.keyring?.version ?? 0
        if (device && seen < keyring.version) await tx.store.put({ ...device, keyring }, name)
        await tx.done
      }),
  }
}
