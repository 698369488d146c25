import { limits, WaystoneError, type Blobs } from '@waystone/core'
import type { Connection } from './connection.ts'
import { read, write } from './transact.ts'

/** Blobs in IndexedDB by their hash: equal bytes of two runs are stored once. */
export function indexedBlobs(connection: Connection): Blobs {
  return {
    async put(run, hash, bytes) {
      const { byteLength } = bytes
      if (byteLength > limits.blobBytesMax) {
        throw new WaystoneError(
          'too_large',
          `a blob has at most ${String(limits.blobBytesMax)} bytes, found ${String(byteLength)}`,
          { run },
        )
      }
      const { buffer } = new Uint8Array(bytes)
      // Strict, because a strict entry may name it: Chromium keeps large values in files of their own, which a later
      // strict commit does not flush (2026-11).
      await connection.use((db) =>
        write(db, ['blobs'], 'strict', (tx) => tx.objectStore('blobs').put(buffer, hash)),
      )
    },
    async get(_, hash) {
      const buffer = await connection.use((db) =>
        read(db, ['blobs'], (tx) => tx.objectStore('blobs').get(hash)),
      )
      return buffer && new Uint8Array(buffer)
    },
    async missing(_, hashes) {
      const keys = await connection.use((db) =>
        read(db, ['blobs'], (tx) => Promise.all(hashes.map((hash) => tx.objectStore('blobs').getKey(hash)))),
      )
      return hashes.filter((__, index) => keys[index] === undefined)
    },
  }
}
