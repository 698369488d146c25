import type { IDBPTransaction, StoreNames } from 'idb'
import type { Database, Schema } from './database.ts'
import { nameOf } from './storage-error.ts'

/** A transaction that may read and write. */
export type Writing = IDBPTransaction<Schema, StoreNames<Schema>[], 'readwrite'>
/** A transaction that only reads. */
export type Reading = IDBPTransaction<Schema, StoreNames<Schema>[], 'readonly'>

/**
 * In the scope of every transaction that writes, so that one is over before the next begins. Chromium that is killed while
 * two of one database, of different stores, have both written something cannot open it any more, and deletes it with
 * all others of its site (156, 2026-11).
 */
const oneAtATime: StoreNames<Schema> = 'meta'

/**
 * Writes in one transaction: commits when `work` returns, rolls back when it throws, and resolves when the transaction
 * is complete, since a put that reported success can still be rolled back. `work` awaits requests to the stores and
 * nothing else: Firefox and WebKit end a transaction across any other wait (2026-11).
 */
export async function write<T>(
  db: Database,
  stores: StoreNames<Schema>[],
  durability: 'relaxed' | 'strict',
  work: (tx: Writing) => Promise<T>,
): Promise<T> {
  const scope = stores.includes(oneAtATime) ? stores : [...stores, oneAtATime]
  return settle(db.transaction(scope, 'readwrite', { durability }), work)
}

/** Reads in one transaction. `work` awaits requests to the stores and nothing else. */
export async function read<T>(
  db: Database,
  stores: StoreNames<Schema>[],
  work: (tx: Reading) => Promise<T>,
): Promise<T> {
  return settle(db.transaction(stores, 'readonly'), work)
}

async function settle<T, Tx extends Writing | Reading>(tx: Tx, work: (tx: Tx) => Promise<T>): Promise<T> {
  const ended = tx.done.catch(() => undefined)
  try {
    const result = await work(tx)
    await tx.done
    return result
  } catch (error) {
    abort(tx)
    await ended
    // Requests of an aborted transaction say only that; why it was aborted, such as the quota, the transaction says.
    throw nameOf(error) === 'AbortError' ? (tx.error ?? error) : error
  }
}

/** Gives a transaction up, if it has not ended. */
export function abort(tx: { abort(): void }): void {
  try {
    tx.abort()
  } catch {
    // It has ended already.
  }
}
