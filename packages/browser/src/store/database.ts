import type { InboxItem, RunSummary } from '@waystone/core'
import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb'

/**
 * The number of the layout of stores below. It stays the same as long as records can say their own format.
 * 1: the first. 2: snapshots, and blobs that belong to runs; records may be deflated.
 */
export const databaseVersion = 2

/** `to` is the sequence number of the record's last line, and `digest` its digest: the last key of a run is its head. */
export type LogKey = [run: string, to: number, digest: string]

/** Lines of one append, of a part of it, or of several that were packed, one after the other. */
export interface LogRecord {
  /** Where each line ends in the bytes, as they are when inflated. */
  readonly ends: readonly number[]
  // A Blob in IndexedDB can lose its file (WebKit, 2025); an ArrayBuffer is part of the record.
  readonly bytes: ArrayBuffer
  /** Set when `bytes` have to be inflated. */
  readonly deflated?: true
}

/** A part of a tail that was set aside. */
export interface AsideRecord extends LogRecord {
  readonly name: string
  readonly reason: string
  readonly time: number
}

/** An inbox item with the run it waits for. */
export interface InboxRecord {
  readonly run: string
  readonly item: InboxItem
}

/** The bytes of a blob. */
export type BlobRecord = ArrayBuffer | { readonly deflated: ArrayBuffer }

/** Stands in `refs` for blobs of version 1, which did not say whose they are: every run has them, and they stay. */
export const everyRun = ''

/** The stores of the database. */
export interface Schema extends DBSchema {
  log: { key: LogKey; value: LogRecord }
  runs: { key: string; value: RunSummary }
  /** `order` counts the tails of a run, `part` the records of a tail. */
  aside: { key: [run: string, order: number, part: number]; value: AsideRecord }
  blobs: { key: string; value: BlobRecord }
  /** Which runs have a blob. */
  refs: { key: [hash: string, run: string]; value: 1 }
  snapshots: { key: [run: string, seq: number]; value: ArrayBuffer }
  /** Keyed by arrival. */
  inbox: {
    key: number
    value: InboxRecord
    indexes: { run: string; id: [run: string, id: string]; ask: [run: string, ask: string] }
  }
  /** `at` is the position of the record's text in its stream. */
  streams: { key: [run: string, stream: string, at: number]; value: string }
  meta: { key: string; value: string }
}

/** The open database. */
export type Database = IDBPDatabase<Schema>

/** The one transaction in which stores are made. */
export type Upgrading = IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>

/** Makes the stores that a database does not have, all of them in a new one. */
export async function createStores(db: Database, tx: Upgrading): Promise<void> {
  const lacks = (name: StoreNames<Schema>): boolean => !db.objectStoreNames.contains(name)
  for (const name of ['log', 'runs', 'aside', 'blobs', 'streams', 'meta', 'snapshots'] as const)
    if (lacks(name)) db.createObjectStore(name)
  if (lacks('inbox')) {
    const inbox = db.createObjectStore('inbox', { autoIncrement: true })
    inbox.createIndex('run', 'run')
    inbox.createIndex('id', ['run', 'item.id'])
    // An item that is no answer has no `ask` and so no place in this index.
    inbox.createIndex('ask', ['run', 'item.ask'])
  }
  if (!lacks('refs')) return
  const refs = db.createObjectStore('refs')
  const hashes = await tx.objectStore('blobs').getAllKeys()
  await Promise.all(hashes.map((hash) => refs.put(1, [hash, everyRun])))
}

/** The range of all keys that begin with these parts. */
export function keysOf(...parts: readonly string[]): IDBKeyRange {
  return keysFrom(parts, -Infinity)
}

/** The range of all keys that begin with these parts and whose next part is at least a number. */
export function keysFrom(parts: readonly string[], from: number): IDBKeyRange {
  // Arrays come after all numbers and texts in the order of keys.
  return IDBKeyRange.bound([...parts, from], [...parts, []])
}

/** Where `meta` says up to which sequence number the log of a run has been packed. */
export function coldKey(run: string): string {
  return `cold ${run}`
}
