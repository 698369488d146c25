import { checkBlobSize, deflate, inflate, type Blobs, type Digest, type RunId } from '@waystone/core'
import type { Connection } from './connection.ts'
import { everyRun, type BlobRecord } from './database.ts'
import { read, write, type Reading, type Writing } from './transact.ts'

/** Values of this many bytes or more may be kept in files of their own, in which case only `strict` flushes them. */
const ownFileBytesMin = 65_536

/** Blobs in IndexedDB by their hash: equal bytes of two runs are stored once, and go with the last that has them. */
export function indexedBlobs(connection: Connection): Blobs {
  const find = together((wanted: readonly Wanted[]) =>
    connection.use((db) =>
      read(db, ['blobs', 'refs'], (tx) => Promise.all(wanted.map((one) => findBlob(tx, one)))),
    ),
  )
  return {
    async put(run, hash, bytes, { cold = false } = {}) {
      checkBlobSize(run, bytes)
      const own = new Uint8Array(bytes)
      const small = cold ? await deflate(own) : undefined
      const record: BlobRecord = small ? { deflated: small.buffer } : own.buffer
      // Strict, because a strict entry may name it: Chromium keeps large values in files of their own, which a later
      // strict commit does not flush (2026-11). A small one it does, and cold ones are many.
      const durability = cold && own.byteLength < ownFileBytesMin ? 'relaxed' : 'strict'
      await connection.use((db) =>
        write(db, ['blobs', 'refs'], durability, async (tx) => {
          const blobs = tx.objectStore('blobs')
          const known = await blobs.getKey(hash)
          await Promise.all([
            known === undefined ? blobs.put(record, hash) : undefined,
            tx.objectStore('refs').put(1, [hash, run]),
          ])
        }),
      )
    },
    async get(run, hash) {
      const record = await find({ run, hash })
      if (record === undefined) return undefined
      return 'deflated' in record ? inflate(new Uint8Array(record.deflated)) : new Uint8Array(record)
    },
    async missing(run, hashes) {
      const has = await connection.use((db) =>
        read(db, ['refs'], (tx) => Promise.all(hashes.map((hash) => hasBlob(tx, run, hash)))),
      )
      return hashes.filter((_, index) => !has[index])
    },
    share(from, to, hashes) {
      return connection.use((db) =>
        write(db, ['refs'], 'relaxed', async (tx) => {
          const refs = tx.objectStore('refs')
          const absent = await Promise.all(
            hashes.map(async (hash) => {
              const [given, had] = await Promise.all([hasBlob(tx, from, hash), hasBlob(tx, to, hash)])
              if (given) await refs.put(1, [hash, to])
              return !given && !had
            }),
          )
          return hashes.filter((_, index) => absent[index])
        }),
      )
    },
    async remove(run, hashes) {
      await connection.use((db) =>
        write(db, ['blobs', 'refs'], 'relaxed', async (tx) => {
          await Promise.all(hashes.map((hash) => removeBlob(tx, run, hash)))
        }),
      )
    },
  }
}

/** A blob that a run asks for. */
interface Wanted {
  readonly run: RunId
  readonly hash: Digest
}

async function findBlob(tx: Reading, { run, hash }: Wanted): Promise<BlobRecord | undefined> {
  const [has, found] = await Promise.all([hasBlob(tx, run, hash), tx.objectStore('blobs').get(hash)])
  return has ? found : undefined
}

/** Does what is asked for in one task at once: a snapshot has many chunks, and a transaction costs more than a request. */
function together<T, R>(work: (asked: readonly T[]) => Promise<readonly R[]>): (one: T) => Promise<R> {
  let asked: T[] = []
  let answers: Promise<readonly R[]> | undefined
  return async (one) => {
    const index = asked.push(one) - 1
    answers ??= Promise.resolve().then(() => {
      const all = asked
      asked = []
      answers = undefined
      return work(all)
    })
    return (await answers)[index] as R
  }
}

async function hasBlob(tx: Reading | Writing, run: RunId, hash: Digest): Promise<boolean> {
  const refs = tx.objectStore('refs')
  const keys = await Promise.all([refs.getKey([hash, run]), refs.getKey([hash, everyRun])])
  return keys.some((key) => key !== undefined)
}

/** Takes a blob from a run; the bytes go when no other has it. */
async function removeBlob(tx: Writing, run: RunId, hash: Digest): Promise<void> {
  const refs = tx.objectStore('refs')
  const [, others] = await Promise.all([
    refs.delete([hash, run]),
    refs.getAllKeys(IDBKeyRange.bound([hash], [hash, []]), 1),
  ])
  if (others.length === 0) await tx.objectStore('blobs').delete(hash)
}
