import { isSealed, limits, statusOf, type Fold, type Live, type RunId } from '@waystone/core'
import type { LazyTable, Table } from '@waystone/core/sql'
import { durableTable } from '../store/durable-sql.ts'
import type { DueTimes } from '../store/sql-due-times.ts'
import type { CatalogCalls, CatalogEntry } from './catalog-entry.ts'

/** When the catalog is to be told of a run. */
export const catalogName = 'waystone.catalog'

/** A run of which only blobs have arrived is told of when no entry follows them for this long, in ms. */
const blobsOnlyMs = 5_000
/** What stands instead of an entry of the catalog then. */
const blobsOnly = 'null'

const outboxTable: Table = {
  name: 'waystone_catalog_outbox',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_catalog_outbox (one INTEGER PRIMARY KEY, entry TEXT NOT NULL, version INTEGER NOT NULL, told INTEGER NOT NULL)',
}

const nothingLive: Live = { phase: 'idle', calls: [] }

/**
 * What the catalog is still to be told of the run of an object. It is written down together with the entries that change
 * it, with nothing awaited between, and so is the alarm: whatever happens then, the catalog is told.
 */
export class CatalogOutbox {
  readonly #sql: SqlStorage
  readonly #table: LazyTable
  readonly #times: DueTimes
  /** As it is stored: an append that changes nothing of it reads nothing. */
  #last: Last | undefined

  constructor(storage: DurableObjectStorage, times: DueTimes) {
    this.#sql = storage.sql
    this.#table = durableTable(storage, outboxTable)
    this.#times = times
    this.#last = this.#stored()
  }

  /**
   * Call it with the fold that an append has made, before anything else is awaited. `missing` is the first entry that was
   * found damaged and set aside last: while nothing follows there the run is not valid.
   */
  async changed(fold: Fold, missing?: number): Promise<void> {
    const valid = fold.pause?.reason !== 'set aside' && missing !== fold.head.seq + 1
    await this.#write((updated) => entryOf(fold, valid, updated))
  }

  /** Call it when nothing of the run can be read any more: what was known of it stays, and is not valid. */
  async unreadable(): Promise<void> {
    const known = this.#last && (JSON.parse(this.#last.text) as CatalogEntry | null)
    if (known) await this.#write((updated) => ({ ...known, valid: false, updated }))
  }

  /** Call it before a blob is stored: a run of which only blobs have arrived is known to the catalog, too. */
  async blobsCame(): Promise<void> {
    if (this.#last === undefined) await this.#put(blobsOnly, Date.now() + blobsOnlyMs)
  }

  /** Tells the catalog what it has not been told of this run. Rejects when it cannot be reached. */
  async tell(run: RunId, catalog: CatalogCalls): Promise<void> {
    const last = this.#last
    if (last === undefined || last.told) return
    if (last.text === blobsOnly) await catalog.begun(run)
    else await catalog.put(JSON.parse(last.text) as CatalogEntry, last.version)
    this.#sql.exec('UPDATE waystone_catalog_outbox SET told = 1 WHERE version = ?', last.version)
    if (this.#last === last) this.#last = { ...last, told: true }
  }

  async #write(entry: (updated: number) => CatalogEntry): Promise<void> {
    const now = Date.now()
    const last = this.#last
    if (last === undefined || JSON.stringify(entry(last.updated)) !== last.text)
      return this.#put(JSON.stringify(entry(now)), now)
    // What waits to be told keeps its time, which is later after each failure.
    if (!last.told && this.#times.get(catalogName) === undefined) await this.#times.set(catalogName, now)
  }

  /** A row and the alarm, with nothing awaited between them. */
  async #put(text: string, due: number): Promise<void> {
    const now = Date.now()
    // Grows whatever becomes of the log, and when the object is brought back to an earlier moment.
    const version = Math.max(now, (this.#last?.version ?? 0) + 1)
    this.#table.make()
    this.#sql.exec(
      'INSERT OR REPLACE INTO waystone_catalog_outbox (one, entry, version, told) VALUES (1, ?, ?, 0)',
      text,
      version,
    )
    this.#last = { text, updated: now, version, told: false }
    await this.#times.set(catalogName, due)
  }

  #stored(): Last | undefined {
    if (!this.#table.isThere()) return undefined
    const query = 'SELECT entry, version, told FROM waystone_catalog_outbox'
    const [row] = this.#sql.exec<{ entry: string; version: number; told: number }>(query).toArray()
    if (row === undefined) return undefined
    const entry = JSON.parse(row.entry) as CatalogEntry | null
    return { text: row.entry, updated: entry?.updated ?? 0, version: row.version, told: row.told === 1 }
  }
}

/** What the catalog was to be told last. */
interface Last {
  readonly text: string
  readonly updated: number
  readonly version: number
  readonly told: boolean
}

/** `updated` is by the edge's clock: what devices say of time is in the log. */
function entryOf(fold: Fold, valid: boolean, updated: number): CatalogEntry {
  // While the keys of an encrypted run are lent they can be read here; a list is nobody's business even then.
  const labels = isSealed(fold) ? [] : fold.labels.slice(-limits.labelsMax)
  return {
    run: fold.run,
    agent: short(fold.identity.agent),
    status: statusOf(fold, nothingLive),
    place: fold.place,
    owner: fold.owner,
    labels: [...new Set(labels.map(({ label }) => short(label)))],
    valid,
    started: fold.started,
    updated,
  }
}

/** Names of agents and labels come from devices. */
function short(name: string): string {
  return name.slice(0, limits.nameCharsMax)
}
