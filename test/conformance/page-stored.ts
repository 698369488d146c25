import type { Head } from '@waystone/core'
import { entryAfter, headAfter, run } from './entries.ts'
import { flipByte } from './flip-byte.ts'

/** What tests look at, or make, without the storage: the database itself. */
export const stored = {
  /** How the log is stored: how many records, the bytes in them, and how many of them are deflated. */
  async records(name: string): Promise<{ count: number; bytes: number; deflated: number }> {
    const db = await opened(indexedDB.open(`waystone-${name}`))
    const records = await answered<{ bytes: ArrayBuffer; deflated?: true }[]>(
      db.transaction('log').objectStore('log').getAll(),
    )
    db.close()
    return {
      count: records.length,
      bytes: records.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
      deflated: records.filter(({ deflated }) => deflated).length,
    }
  },

  /** How many blobs there are, and how many bytes they take. */
  async blobs(name: string): Promise<{ count: number; bytes: number; refs: number }> {
    const db = await opened(indexedDB.open(`waystone-${name}`))
    const tx = db.transaction(['blobs', 'refs'])
    const blobs = answered<(ArrayBuffer | { deflated: ArrayBuffer })[]>(tx.objectStore('blobs').getAll())
    const refs = answered<number>(tx.objectStore('refs').count())
    const all = (await blobs).map((blob) => ('deflated' in blob ? blob.deflated : blob))
    db.close()
    return {
      count: all.length,
      bytes: all.reduce((sum, { byteLength }) => sum + byteLength, 0),
      refs: await refs,
    }
  },

  /**
   * Makes a database as version 1 had it: a log of three entries in two records, a tail that was set aside, a blob, and
   * an id of the device. The tab keeps it open, and lets go of it when it is asked to.
   */
  async makeVersion1(name: string, hash: string): Promise<void> {
    const request = indexedDB.open(`waystone-${name}`, 1)
    request.onupgradeneeded = () => {
      const db = request.result
      for (const store of ['log', 'runs', 'aside', 'blobs', 'streams', 'meta']) db.createObjectStore(store)
      const inbox = db.createObjectStore('inbox', { autoIncrement: true })
      inbox.createIndex('run', 'run')
      inbox.createIndex('id', ['run', 'item.id'])
      inbox.createIndex('ask', ['run', 'item.ask'])
    }
    const db = await opened(request)
    db.onversionchange = () => db.close()
    const { lines, heads } = entries(3)
    const tx = db.transaction(['log', 'aside', 'blobs', 'meta'], 'readwrite')
    const put = (from: number, to: number): void => {
      const head = heads[to - 1]
      tx.objectStore('log').put(recordOf(lines.slice(from, to)), [run, to - 1, head?.digest ?? ''])
    }
    put(0, 2)
    put(2, 3)
    const aside = { ...recordOf(entries(1).lines), name: '3-7', reason: 'the first version', time: 7 }
    tx.objectStore('aside').put(aside, [run, 0, 0])
    tx.objectStore('blobs').put(new Uint8Array([1, 2, 3]).buffer, hash)
    tx.objectStore('meta').put('the-device', 'device')
    await new Promise((resolve, reject) => {
      tx.oncomplete = resolve
      tx.onabort = () => reject(tx.error ?? new Error('aborted'))
    })
  },
}

/** Changes a byte of an entry where it is stored, in a record that is not packed. */
export async function damageEntry(
  name: string,
  of: string,
  seq: number,
  where: 'first' | 'middle',
): Promise<void> {
  const db = await opened(indexedDB.open(`waystone-${name}`))
  const log = db.transaction('log', 'readwrite').objectStore('log')
  const range = IDBKeyRange.bound([of, seq], [of, []])
  const key = (await answered<IDBCursor>(log.openKeyCursor(range))).key as [string, number, string]
  const record = await answered<{ ends: readonly number[]; bytes: ArrayBuffer }>(log.get(key))
  const index = seq - (key[1] - record.ends.length + 1)
  const place = [record.ends[index - 1] ?? 0, record.ends[index] ?? 0] as const
  const flipped = flipByte(new Uint8Array(record.bytes), place, where)
  await answered(log.put({ ...record, bytes: flipped.buffer }, key))
  db.close()
}

function entries(count: number): { readonly lines: readonly Uint8Array[]; readonly heads: readonly Head[] } {
  const lines: Uint8Array[] = []
  const heads: Head[] = []
  for (let seq = 0; seq < count; seq += 1) {
    const line = entryAfter(heads.at(-1), 'kept')
    lines.push(line)
    heads.push(headAfter(line))
  }
  return { lines, heads }
}

/** A record as version 1 had them. */
function recordOf(lines: readonly Uint8Array[]): { ends: readonly number[]; bytes: ArrayBuffer } {
  const ends: number[] = []
  const all: number[] = []
  for (const line of lines) {
    all.push(...line)
    ends.push(all.length)
  }
  return { ends, bytes: Uint8Array.from(all).buffer }
}

function opened(request: IDBOpenDBRequest): Promise<IDBDatabase> {
  return answered<IDBDatabase>(request)
}

function answered<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T)
    request.onerror = () => reject(request.error ?? new Error('the request failed'))
  })
}
