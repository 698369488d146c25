import { WaystoneError } from '@waystone/core'
import { openDB } from 'idb'
import { createStores, databaseVersion, type Database, type Schema } from './database.ts'
import { damageOf, renewLog } from './renew-log.ts'
import { nameOf, storageClosed, storageError, storageLost } from './storage-error.ts'
import { StorageWatch } from './storage-state.ts'
import { abort } from './transact.ts'

/** How a database is opened. */
export interface ConnectionOptions {
  /** How long the browser may take to open the database, in ms. */
  readonly openMsMax?: number
}

const openMsMax = 10_000
/** How long a database waits for a new log, in ms: it is worth no more. */
const renewMsMax = 1_000

/**
 * The connection to one database. Browsers close connections behind one's back (WebKit "server lost", Chromium "backing
 * store", 2024 to 2026), and another tab may ask to have them closed: then the handle is dropped and the next use opens
 * another. Work that died with its connection is done again, a bounded number of times, so it has to be harmless to repeat. When WebKit's network
 * process dies, no connection of the same document comes up again (WebKitGTK 2.50, 2026-11): then that fails, too, and
 * the page has to be loaded anew.
 */
export class Connection {
  readonly name: string
  /** What became of its uses. */
  readonly watch = new StorageWatch()
  readonly #openMsMax: number
  readonly #underWay = new Set<Promise<unknown>>()
  #handle: Promise<Database> | undefined
  /** Set once the database was open: from then on it is never made anew. */
  #known = false
  #closed = false
  #made = false
  #renewed: Promise<string | undefined> | undefined
  #damage: string | undefined

  constructor(name: string, options: ConnectionOptions = {}) {
    this.name = name
    this.#openMsMax = options.openMsMax ?? openMsMax
  }

  /** True when there was no database of this name. */
  get made(): boolean {
    return this.#made
  }

  /** What was damaged, so that the browser has made the database anew, where it says so (Chromium). */
  get damage(): string | undefined {
    return this.#damage
  }

  /** Does `work` with the open database, after `ready`. Rejects with `closed` and the codes of `storageError`. */
  async use<T>(work: (db: Database) => Promise<T>, ready?: Promise<unknown>): Promise<T> {
    if (this.#closed) throw storageClosed()
    const doing = this.#watched(this.#use(work, ready))
    const settled = doing.catch(() => undefined)
    this.#underWay.add(settled)
    try {
      return await doing
    } finally {
      this.#underWay.delete(settled)
    }
  }

  /** Waits for the work under way and closes the database. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    const handle = this.#handle
    this.#handle = undefined
    const db = await handle?.catch(() => undefined)
    db?.close()
  }

  async #watched<T>(doing: Promise<T>): Promise<T> {
    try {
      const result = await doing
      this.watch.worked({ stored: false })
      return result
    } catch (error) {
      if (error instanceof WaystoneError) this.watch.failed(error)
      throw error
    }
  }

  async #use<T>(work: (db: Database) => Promise<T>, ready?: Promise<unknown>): Promise<T> {
    if (ready) await ready
    for (let tries = 1; ; tries += 1) {
      const handle = (this.#handle ??= this.#open())
      try {
        return await work(await handle)
      } catch (error) {
        if (tries === triesMax || !(this.#handle !== handle || diedWith(error))) throw storageError(error)
        if (error instanceof WaystoneError && !diedWith(error)) throw error
        await this.#drop(handle)
      }
    }
  }

  #open(): Promise<Database> {
    const handle: Promise<Database> = this.#openOnce(() => void this.#drop(handle)).catch(
      (error: unknown) => {
        if (this.#handle === handle) this.#handle = undefined
        throw storageError(error)
      },
    )
    return handle
  }

  async #openOnce(drop: () => void): Promise<Database> {
    // Missing where a browser or its policy has switched it off.
    if (!globalThis.indexedDB) throw new DOMException('there is no IndexedDB here', 'NotSupportedError')
    let isLost = false
    // Whoever is not allowed to is told when ours is opened.
    this.#renewed ??= within(renewLog(), renewMsMax, () => slowOpen(this.name, renewMsMax)).catch(
      () => undefined,
    )
    const opening = openDB<Schema>(this.name, databaseVersion, {
      upgrade: (db, oldVersion, _, tx, event) => {
        tx.done.catch(() => undefined)
        this.#damage ??= damageOf(event)
        if (oldVersion > 0 || !this.#known) {
          this.#made ||= oldVersion === 0
          createStores(db, tx).catch(() => abort(tx))
          return
        }
        // Chromium replaces a damaged database by an empty one (2026-11): making its stores would hide the loss.
        isLost = true
        tx.abort()
      },
      // Without this the other tab's deletion or upgrade would wait for ever.
      blocking: drop,
      terminated: drop,
    })
    try {
      const db = await within(opening, this.#openMsMax, () => slowOpen(this.name, this.#openMsMax))
      this.#damage ??= await this.#renewed
      this.#known = true
      return db
    } catch (error) {
      opening.then((db) => db.close()).catch(() => undefined)
      throw isLost ? storageLost(this.name) : error
    }
  }

  async #drop(handle: Promise<Database>): Promise<void> {
    if (this.#handle === handle) this.#handle = undefined
    const db = await handle.catch(() => undefined)
    db?.close()
  }
}

/** What a dead connection throws: the first at the next transaction, the others in the one that was open. */
const endsConnection = new Set(['InvalidStateError', 'UnknownError', 'AbortError'])
/**
 * How often work is begun: a browser that clears a site's data ends the connection, and may end the one that is opened
 * while it does (Chromium, 2026-11).
 */
const triesMax = 3

/** True for an error of a dead connection, or of one that died while it was opened. */
function diedWith(error: unknown): boolean {
  return endsConnection.has(nameOf(error instanceof WaystoneError ? error.cause : error))
}

async function within<T>(promise: Promise<T>, ms: number, error: () => WaystoneError): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(error()), ms)
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}

function slowOpen(name: string, ms: number): WaystoneError {
  return new WaystoneError(
    'storage_failed',
    `the database ${name} did not open within ${String(ms)} ms: another tab holds an old version of it. Close the other tabs of this site`,
    { actions: ['reload'] },
  )
}
