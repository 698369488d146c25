import { parseRunId, type RunId } from '@waystone/core'
import { hasTable } from '@waystone/core/sql'
import { durableSql } from '../store/durable-sql.ts'
import { pageIn, type CatalogRow } from './catalog-pages.ts'
import type { CatalogEntry, CatalogPage, CatalogQuery } from './catalog-entry.ts'

/** In ms since 1970. */
interface Times {
  readonly now: number
  readonly until: number
}

/** The runs of one tenant. */
export interface SqlCatalog {
  /** Replaces what is known of a run, unless something newer is: `version` grows with each change. */
  put(entry: CatalogEntry, version: number): void
  /** A run of which there are blobs only, so far. */
  begun(run: RunId): void
  remove(run: RunId): void
  /** Keeps a place for a run until a time, in ms since 1970, unless it is known; false when there are so many runs and places. */
  reserve(run: RunId, runsMax: number, times: Times): boolean
  release(run: RunId): void
  /** Keeps a place for a socket until a time, in ms since 1970; false when there are so many places. */
  openSocket(id: string, socketsMax: number, times: Times): boolean
  closeSocket(id: string): void
  /** A page: the newest first, or by their ids for who may see some runs only. Throws `request_refused`. */
  page(query: CatalogQuery): CatalogPage
  /** Writes down that all runs that there is anything of now are to be deleted: each of them until it is removed. */
  setDeleting(): void
  /** The first so many runs that are to be deleted, by their ids. */
  deleting(count: number, after?: RunId): readonly RunId[]
  /** How many runs there is anything of. */
  size(): number
  /** How many runs there are of each status. */
  counts(): readonly { readonly status: string; readonly runs: number }[]
}

/**
 * Each index is one row more that is written, and one that is removed, at each change of status. Those that are here are for each
 * column that a list is filtered by; two filters at once read the runs of one and look at the other.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS waystone_catalog (
    run TEXT PRIMARY KEY, version INTEGER NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL, place TEXT NOT NULL, owner TEXT NOT NULL,
    labels TEXT NOT NULL, valid INTEGER NOT NULL, started INTEGER NOT NULL, updated INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS waystone_catalog_time ON waystone_catalog (updated, run);
  CREATE INDEX IF NOT EXISTS waystone_catalog_status ON waystone_catalog (status, updated, run);
  CREATE INDEX IF NOT EXISTS waystone_catalog_agent ON waystone_catalog (agent, updated, run);
  CREATE INDEX IF NOT EXISTS waystone_catalog_place ON waystone_catalog (place, updated, run);
  CREATE INDEX IF NOT EXISTS waystone_catalog_damaged ON waystone_catalog (updated, run) WHERE valid = 0;
  CREATE TABLE IF NOT EXISTS waystone_catalog_labels (
    label TEXT NOT NULL, updated INTEGER NOT NULL, run TEXT NOT NULL, PRIMARY KEY (label, updated, run)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS waystone_catalog_begun (run TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS waystone_catalog_deleting (run TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS waystone_catalog_places (run TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS waystone_catalog_sockets (id TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
`

/** Labels as they were kept before: not in the order of a list. */
const olderLabels = 'waystone_labels'
const upgrade = `
  INSERT OR IGNORE INTO waystone_catalog_labels (label, updated, run) SELECT value, updated, run FROM waystone_catalog, json_each(labels);
  DROP TABLE ${olderLabels};
`

/** What a catalog needs of its object. */
export type CatalogStorage = Pick<DurableObjectStorage, 'sql' | 'transactionSync'>

/** The tables of a catalog. Every page comes by an index and looks at a bounded number of runs, however many there are. */
export function sqlCatalog(storage: CatalogStorage): SqlCatalog {
  const { sql } = storage
  sql.exec(schema)
  if (hasTable(durableSql(storage), olderLabels)) storage.transactionSync(() => sql.exec(upgrade))

  const find = (run: RunId): (CatalogRow & { readonly version: number }) | undefined => {
    const query = 'SELECT * FROM waystone_catalog WHERE run = ?'
    return sql.exec<CatalogRow & { version: number }>(query, run).toArray()[0]
  }
  const unlabel = ({ run, updated, labels }: CatalogRow): void => {
    for (const label of JSON.parse(labels) as readonly string[])
      sql.exec(
        'DELETE FROM waystone_catalog_labels WHERE label = ? AND updated = ? AND run = ?',
        label,
        updated,
        run,
      )
  }

  /** Counting reads every run, so it is done once for as long as the object is awake. */
  let counts: Map<string, number> | undefined
  const counted = (): ReadonlyMap<string, number> => {
    const query = 'SELECT status, count(*) AS runs FROM waystone_catalog GROUP BY status ORDER BY status'
    counts ??= new Map(
      sql
        .exec<{ status: string; runs: number }>(query)
        .toArray()
        .map(({ status, runs }) => [status, runs]),
    )
    return counts
  }
  const count = (from: string | undefined, to: string | undefined): void => {
    if (from !== undefined) counts?.set(from, (counts.get(from) ?? 0) - 1)
    if (to !== undefined) counts?.set(to, (counts.get(to) ?? 0) + 1)
  }

  const release = (run: RunId): void => {
    sql.exec('DELETE FROM waystone_catalog_places WHERE run = ?', run)
  }
  const rowsOf = (table: string): number =>
    sql.exec<{ rows: number }>(`SELECT count(*) AS rows FROM ${table}`).one().rows
  const size = (): number =>
    [...counted().values()].reduce((sum, runs) => sum + runs, rowsOf('waystone_catalog_begun'))
  const isBegun = (run: RunId): boolean =>
    sql.exec('SELECT 1 FROM waystone_catalog_begun WHERE run = ?', run).toArray().length > 0

  return {
    put(entry, version) {
      const { run, agent, status, place, owner, labels, valid, started, updated } = entry
      const known = find(run)
      if (known !== undefined && known.version > version) return
      storage.transactionSync(() => {
        sql.exec(
          `INSERT INTO waystone_catalog (run, version, agent, status, place, owner, labels, valid, started, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (run) DO UPDATE SET version = excluded.version, agent = excluded.agent, status = excluded.status, place = excluded.place,
            owner = excluded.owner, labels = excluded.labels, valid = excluded.valid, started = excluded.started, updated = excluded.updated`,
          run,
          version,
          agent,
          status,
          place,
          owner,
          JSON.stringify(labels),
          valid ? 1 : 0,
          started,
          updated,
        )
        if (known) unlabel(known)
        else {
          sql.exec('DELETE FROM waystone_catalog_begun WHERE run = ?', run)
          release(run)
        }
        for (const label of labels)
          sql.exec(
            'INSERT OR IGNORE INTO waystone_catalog_labels (label, updated, run) VALUES (?, ?, ?)',
            label,
            updated,
            run,
          )
      })
      count(known?.status, status)
    },
    begun(run) {
      if (find(run) !== undefined) return
      sql.exec('INSERT OR IGNORE INTO waystone_catalog_begun (run) VALUES (?)', run)
      release(run)
    },
    reserve(run, runsMax, { now, until }) {
      sql.exec('DELETE FROM waystone_catalog_places WHERE until <= ?', now)
      if (find(run) !== undefined || isBegun(run)) return true
      const query = 'UPDATE waystone_catalog_places SET until = ? WHERE run = ? RETURNING run'
      if (sql.exec(query, until, run).toArray().length > 0) return true
      if (size() + rowsOf('waystone_catalog_places') >= runsMax) return false
      sql.exec('INSERT INTO waystone_catalog_places (run, until) VALUES (?, ?)', run, until)
      return true
    },
    release,
    remove(run) {
      const known = find(run)
      storage.transactionSync(() => {
        if (known) unlabel(known)
        sql.exec('DELETE FROM waystone_catalog WHERE run = ?', run)
        sql.exec('DELETE FROM waystone_catalog_begun WHERE run = ?', run)
        sql.exec('DELETE FROM waystone_catalog_deleting WHERE run = ?', run)
        release(run)
      })
      count(known?.status, undefined)
    },
    openSocket(id, socketsMax, { now, until }) {
      sql.exec('DELETE FROM waystone_catalog_sockets WHERE until <= ?', now)
      if (rowsOf('waystone_catalog_sockets') >= socketsMax) return false
      sql.exec('INSERT INTO waystone_catalog_sockets (id, until) VALUES (?, ?)', id, until)
      return true
    },
    closeSocket: (id) => void sql.exec('DELETE FROM waystone_catalog_sockets WHERE id = ?', id),
    page: (query) => pageIn(sql, query),
    setDeleting() {
      for (const known of ['waystone_catalog', 'waystone_catalog_begun'])
        sql.exec(`INSERT OR IGNORE INTO waystone_catalog_deleting (run) SELECT run FROM ${known}`)
    },
    deleting(count, after) {
      const query = 'SELECT run FROM waystone_catalog_deleting WHERE run > ? ORDER BY run LIMIT ?'
      const rows = sql.exec<{ run: string }>(query, after ?? '', count).toArray()
      return rows.map(({ run }) => parseRunId(run))
    },
    size,
    counts: () => [...counted()].map(([status, runs]) => ({ status, runs })).filter(({ runs }) => runs > 0),
  }
}
