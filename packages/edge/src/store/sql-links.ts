import { WaystoneError } from '@waystone/core'
import type { Table } from '@waystone/core/sql'
import { durableTable } from './durable-sql.ts'

/** What a link allows: to look on, or to see what the run asks and answer. */
export type LinkUse = 'read' | 'answer'

/** A link to a run, without its secret. */
export interface LinkInfo {
  readonly id: string
  readonly use: LinkUse
  /** Who made it. */
  readonly by?: string
  /** When it was made, in ms since 1970. */
  readonly time: number
  /** When it ends, in ms since 1970. */
  readonly until?: number
}

/** The links to the run of an object. */
export interface SqlLinks {
  add(link: LinkInfo, secretDigest: string): void
  /** The link with this secret, unless its time is over. */
  find(secretDigest: string, now: number): LinkInfo | undefined
  /** True while there is a link with this id, and its time is not over. */
  has(id: string, now: number): boolean
  list(now: number): readonly LinkInfo[]
  /** False when there is none. */
  remove(id: string): boolean
}

/** Links that one run may have. */
const linksMax = 100

const linksTable: Table = {
  name: 'waystone_links',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_links (id TEXT PRIMARY KEY, secret TEXT NOT NULL UNIQUE, use TEXT NOT NULL, by TEXT, time INTEGER NOT NULL, until INTEGER)',
}

interface Row {
  readonly [column: string]: string | number | null
  readonly id: string
  readonly use: string
  readonly by: string | null
  readonly time: number
  readonly until: number | null
}

/** The table of links. Those whose time is over are forgotten when one is added. */
export function sqlLinks(storage: DurableObjectStorage): SqlLinks {
  const { sql } = storage
  const table = durableTable(storage, linksTable)
  const select = 'SELECT id, use, by, time, until FROM waystone_links WHERE coalesce(until > ?, TRUE)'
  return {
    add({ id, use, by, time, until }, secretDigest) {
      table.make()
      sql.exec('DELETE FROM waystone_links WHERE until <= ?', time)
      const { count } = sql.exec<{ count: number }>('SELECT count(*) AS count FROM waystone_links').one()
      if (count >= linksMax)
        throw new WaystoneError(
          'limit_exceeded',
          `this run has ${String(linksMax)} links, which is the limit: take some back first`,
        )
      sql.exec(
        'INSERT INTO waystone_links (id, secret, use, by, time, until) VALUES (?, ?, ?, ?, ?, ?)',
        id,
        secretDigest,
        use,
        by ?? null,
        time,
        until ?? null,
      )
    },
    find(secretDigest, now) {
      if (!table.isThere()) return undefined
      const [row] = sql.exec<Row>(`${select} AND secret = ?`, now, secretDigest).toArray()
      return row && infoOf(row)
    },
    has: (id, now) => table.isThere() && sql.exec(`${select} AND id = ?`, now, id).toArray().length > 0,
    list: (now) =>
      table.isThere() ? sql.exec<Row>(`${select} ORDER BY time, id`, now).toArray().map(infoOf) : [],
    remove: (id) =>
      table.isThere() &&
      sql.exec('DELETE FROM waystone_links WHERE id = ? RETURNING id', id).toArray().length > 0,
  }
}

function infoOf({ id, use, by, time, until }: Row): LinkInfo {
  return {
    id,
    use: use === 'answer' ? 'answer' : 'read',
    ...(by === null ? {} : { by }),
    time,
    ...(until === null ? {} : { until }),
  }
}
