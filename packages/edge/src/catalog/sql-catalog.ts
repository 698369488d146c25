import {
  parseRunId,
  WaystoneError,
  type OwnerId,
  type Place,
  type RunId,
  type RunStatus,
} from '@waystone/core'
import type { CatalogEntry, CatalogPage, CatalogQuery } from './catalog-entry.ts'

/** The runs of one tenant. */
export interface SqlCatalog {
  /** Replaces what is known of a run, unless something newer is: `version` grows with each change. */
  put(entry: CatalogEntry, version: number): void
  remove(run: RunId): void
  /** A page: the newest first, or by their ids for who may see some runs only. Throws `request_refused`. */
  page(query: CatalogQuery): CatalogPage
  /** How many runs there are of each status. */
  counts(): readonly { readonly status: string; readonly runs: number }[]
}

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_catalog (
    run TEXT PRIMARY KEY, version INTEGER NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL, place TEXT NOT NULL, owner TEXT NOT NULL,
    labels TEXT NOT NULL, valid INTEGER NOT NULL, started INTEGER NOT NULL, updated INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS waystone_catalog_time ON waystone_catalog (updated, run);
  CREATE INDEX IF NOT EXISTS waystone_catalog_status ON waystone_catalog (status, updated, run);
  CREATE INDEX IF NOT EXISTS waystone_catalog_agent ON waystone_catalog (agent, updated, run);
  CREATE INDEX IF NOT EXISTS waystone_catalog_damaged ON waystone_catalog (updated, run) WHERE valid = 0;
  CREATE TABLE IF NOT EXISTS waystone_labels (label TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (label, run)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS waystone_labels_run ON waystone_labels (run);
`

interface Row {
  readonly [column: string]: string | number
  readonly run: string
  readonly agent: string
  readonly status: string
  readonly place: string
  readonly owner: string
  readonly labels: string
  readonly valid: number
  readonly started: number
  readonly updated: number
}

/** A part of a condition, and the values for its question marks. */
interface Condition {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

/** The tables of a catalog. Every page comes by an index, however many runs there are. */
export function sqlCatalog(storage: CatalogStorage): SqlCatalog {
  const { sql } = storage
  sql.exec(schema)
  return {
    put(entry, version) {
      const { run, agent, status, place, owner, labels, valid, started, updated } = entry
      storage.transactionSync(() => {
        const [known] = sql
          .exec<{ version: number }>('SELECT version FROM waystone_catalog WHERE run = ?', run)
          .toArray()
        if (known !== undefined && known.version > version) return
        sql.exec(
          'INSERT OR REPLACE INTO waystone_catalog (run, version, agent, status, place, owner, labels, valid, started, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
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
        relabel(run, labels)
      })
    },
    remove(run) {
      storage.transactionSync(() => {
        sql.exec('DELETE FROM waystone_catalog WHERE run = ?', run)
        relabel(run, [])
      })
    },
    page(query) {
      const byTime = query.runs.includes('*')
      const conditions = [...conditionsOf(query), afterOf(query, byTime)].filter((one) => one !== undefined)
      const where = conditions.map((one) => `(${one.sql})`).join(' AND ') || 'TRUE'
      const order = byTime ? 'updated DESC, run DESC' : 'run'
      const rows = sql
        .exec<Row>(
          `SELECT * FROM waystone_catalog WHERE ${where} ORDER BY ${order} LIMIT ?`,
          ...conditions.flatMap(({ values }) => values),
          query.limit + 1,
        )
        .toArray()
      const runs = rows.slice(0, query.limit).map(entryOf)
      const last = runs.at(-1)
      return { runs, ...(rows.length > runs.length && last ? { next: cursorOf(last, byTime) } : {}) }
    },
    counts: () =>
      sql
        .exec<{ status: string; runs: number }>(
          'SELECT status, count(*) AS runs FROM waystone_catalog GROUP BY status ORDER BY status',
        )
        .toArray(),
  }

  function relabel(run: RunId, labels: readonly string[]): void {
    const query = 'SELECT label FROM waystone_labels WHERE run = ?'
    const known = new Set(
      sql
        .exec<{ label: string }>(query, run)
        .toArray()
        .map(({ label }) => label),
    )
    for (const label of labels)
      if (!known.has(label))
        sql.exec('INSERT OR IGNORE INTO waystone_labels (label, run) VALUES (?, ?)', label, run)
    for (const label of known)
      if (!labels.includes(label))
        sql.exec('DELETE FROM waystone_labels WHERE label = ? AND run = ?', label, run)
  }
}

/** What a catalog needs of its object. */
export type CatalogStorage = Pick<DurableObjectStorage, 'sql' | 'transactionSync'>

function conditionsOf(query: CatalogQuery): readonly Condition[] {
  const { status, agent, place, label, valid, from, to, runs } = query
  return [
    is('status', status),
    is('agent', agent),
    is('place', place),
    is('valid', valid === undefined ? undefined : valid ? 1 : 0),
    label === undefined
      ? undefined
      : { sql: 'run IN (SELECT run FROM waystone_labels WHERE label = ?)', values: [label] },
    from === undefined ? undefined : { sql: 'updated >= ?', values: [from] },
    to === undefined ? undefined : { sql: 'updated < ?', values: [to] },
    runs.includes('*') ? undefined : matching(runs),
  ].filter((one) => one !== undefined)
}

function is(column: string, value: string | number | undefined): Condition | undefined {
  return value === undefined ? undefined : { sql: `${column} = ?`, values: [value] }
}

/** The runs of these patterns, as ranges of ids. */
function matching(patterns: readonly string[]): Condition {
  const ranges = patterns.map((pattern) => {
    const start = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
    // What follows `~`, the greatest character of an id, is in none; an id alone is followed by the least there is.
    return [start, `${start}${pattern.endsWith('*') ? '\u007f' : '\u0001'}`]
  })
  const [first] = ranges
  if (first !== undefined && ranges.length === 1) return { sql: 'run >= ? AND run < ?', values: first }
  // An object binds a hundred values: the ranges are one.
  const among =
    'json_each(?) AS ranges CROSS JOIN waystone_catalog AS c ON c.run >= ranges.value ->> 0 AND c.run < ranges.value ->> 1'
  return { sql: `run IN (SELECT c.run FROM ${among})`, values: [JSON.stringify(ranges)] }
}

/** What comes after a page. */
function afterOf({ after }: CatalogQuery, byTime: boolean): Condition | undefined {
  if (after === undefined) return undefined
  const [, updated, run] = /^(\d{1,15})?:(.+)$/.exec(after) ?? []
  if (run === undefined || (byTime && updated === undefined))
    throw new WaystoneError('request_refused', 'expected `after` as the `next` of a page')
  const id = parseRunId(run)
  if (!byTime) return { sql: 'run > ?', values: [id] }
  return { sql: '(updated, run) < (?, ?)', values: [Number(updated), id] }
}

function cursorOf({ updated, run }: CatalogEntry, byTime: boolean): string {
  return byTime ? `${String(updated)}:${run}` : `:${run}`
}

function entryOf(row: Row): CatalogEntry {
  return {
    run: parseRunId(row.run),
    agent: row.agent,
    status: row.status as RunStatus,
    place: row.place as Place,
    owner: row.owner as OwnerId,
    labels: JSON.parse(row.labels) as readonly string[],
    valid: row.valid === 1,
    started: row.started,
    updated: row.updated,
  }
}
