import {
  parseRunId,
  WaystoneError,
  type OwnerId,
  type Place,
  type RunId,
  type RunStatus,
} from '@waystone/core'
import type { CatalogEntry, CatalogPage, CatalogQuery } from './catalog-entry.ts'

/** Runs that are looked at for one page, where no index has just those that are asked for. */
const scannedMax = 2_000

/** A row of the catalog. */
export interface CatalogRow {
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

/** Rows of the catalog in the order of a page, as an index gives them: `i` has the order. */
interface Scan {
  readonly columns: 'i.*' | 'c.*'
  readonly from: string
  readonly where: readonly Condition[]
  readonly order: string
}

/** What a page is made of: the rows that were found, one more than it may have, and where it ends when it looked at enough. */
interface Found {
  readonly rows: readonly CatalogRow[]
  readonly end: Pick<CatalogRow, 'updated' | 'run'> | undefined
}

/** A page of a catalog. It comes by an index and looks at a bounded number of runs, however many there are. */
export function pageIn(sql: SqlStorage, query: CatalogQuery): CatalogPage {
  return query.runs.includes('*') && !query.byId ? pageByTime(sql, query) : pageById(sql, query)
}

/** Reads `limit` rows and one more for which all of `rest` is true, but looks at no more than `budget` to find them. */
function read(
  sql: SqlStorage,
  scan: Scan,
  rest: readonly Condition[],
  limit: number,
  budget: number,
): Found & { readonly count: number } {
  const { columns, from, where, order } = scan
  const scanned = `FROM ${from} WHERE ${allOf(where)} ORDER BY ${order}`
  const values = where.flatMap((one) => one.values)
  if (rest.length === 0) {
    const rows = sql.exec<CatalogRow>(`SELECT ${columns} ${scanned} LIMIT ?`, ...values, limit + 1).toArray()
    return { rows, end: undefined, count: rows.length }
  }
  const some = `SELECT * FROM (SELECT ${columns} ${scanned} LIMIT ?) WHERE ${allOf(rest)} LIMIT ?`
  const rows = sql
    .exec<CatalogRow>(some, ...values, budget, ...rest.flatMap((one) => one.values), limit + 1)
    .toArray()
  if (rows.length > limit) return { rows, end: undefined, count: budget }
  const counted = `SELECT count(*) AS count FROM (SELECT 1 ${scanned} LIMIT ?)`
  const { count } = sql.exec<{ count: number }>(counted, ...values, budget).one()
  const last = `SELECT i.updated, i.run ${scanned} LIMIT 1 OFFSET ?`
  const end = count < budget ? undefined : sql.exec<CatalogRow>(last, ...values, budget - 1).one()
  return { rows, end, count }
}

function pageByTime(sql: SqlStorage, query: CatalogQuery): CatalogPage {
  const { drive, rest } = driverOf(query)
  const scan = { ...drive, where: [...drive.where, ...timesOf(query)], order: 'i.updated DESC, i.run DESC' }
  return pageOf(
    read(sql, scan, rest, query.limit, scannedMax),
    query.limit,
    ({ updated, run }) => `${String(updated)}:${run}`,
  )
}

function pageById(sql: SqlStorage, query: CatalogQuery): CatalogPage {
  const { from, to, limit } = query
  const times = [
    from === undefined ? [] : [{ sql: 'updated >= ?', values: [from] }],
    to === undefined ? [] : [{ sql: 'updated < ?', values: [to] }],
  ].flat()
  const rest = [...Object.values(conditionsOf(query)), ...times]
  const after = cursorOf(query)?.run ?? ''
  const rows: CatalogRow[] = []
  let end: Found['end']
  let budget = scannedMax
  for (const [first, beyond] of rangesOf(query.runs)) {
    if (beyond <= after) continue
    const where = [
      first > after ? { sql: 'i.run >= ?', values: [first] } : { sql: 'i.run > ?', values: [after] },
      { sql: 'i.run < ?', values: [beyond] },
    ]
    const scan = { columns: 'i.*', from: 'waystone_catalog AS i', where, order: 'i.run' } as const
    const found = read(sql, scan, rest, limit - rows.length, budget)
    rows.push(...found.rows)
    end = found.end
    budget -= found.count
    if (rows.length > limit || end !== undefined || budget <= 0) break
  }
  return pageOf({ rows, end }, limit, ({ run }) => `:${run}`)
}

/** The filters of a query by their names. Labels are looked for in the row itself. */
function conditionsOf({
  status,
  agent,
  place,
  valid,
  label,
}: CatalogQuery): Readonly<Partial<Record<Filter, Condition>>> {
  return {
    ...(label === undefined
      ? {}
      : { label: { sql: 'EXISTS (SELECT 1 FROM json_each(labels) WHERE value = ?)', values: [label] } }),
    ...(valid === undefined ? {} : { valid: { sql: `valid = ${valid ? '1' : '0'}`, values: [] } }),
    ...(agent === undefined ? {} : { agent: { sql: 'agent = ?', values: [agent] } }),
    ...(status === undefined ? {} : { status: { sql: 'status = ?', values: [status] } }),
    ...(place === undefined ? {} : { place: { sql: 'place = ?', values: [place] } }),
  }
}

type Filter = 'label' | 'valid' | 'agent' | 'status' | 'place'

/** The index that a page by time is read from: that of the filter which is likely to leave the fewest runs; `rest`: the others. */
function driverOf(query: CatalogQuery): {
  readonly drive: Omit<Scan, 'order'>
  readonly rest: readonly Condition[]
} {
  const { label, valid, ...filters } = conditionsOf(query)
  const { agent, status, place } = filters
  const runs = (index: string, where: Condition | undefined): Omit<Scan, 'order'> => ({
    columns: 'i.*',
    from: `waystone_catalog AS i INDEXED BY waystone_catalog_${index}`,
    where: where === undefined ? [] : [{ ...where, sql: `i.${where.sql}` }],
  })
  const others = (...used: readonly (Condition | undefined)[]): readonly Condition[] =>
    [label, valid, agent, status, place].filter(
      (one) => one !== undefined && !used.includes(one),
    ) as Condition[]
  if (label) {
    const from = 'waystone_catalog_labels AS i CROSS JOIN waystone_catalog AS c ON c.run = i.run'
    const where = [{ sql: 'i.label = ?', values: label.values }]
    return { drive: { columns: 'c.*', from, where }, rest: others(label) }
  }
  if (query.valid === false) return { drive: runs('damaged', valid), rest: others(valid) }
  if (agent) return { drive: runs('agent', agent), rest: others(agent) }
  if (status) return { drive: runs('status', status), rest: others(status) }
  if (place) return { drive: runs('place', place), rest: others(place) }
  return { drive: runs('time', undefined), rest: others() }
}

/** The part of an index by time that a page may be from: no more than one bound at each end, so that it is found at once. */
function timesOf(query: CatalogQuery): readonly Condition[] {
  const { from, to = Infinity } = query
  const cursor = cursorOf(query)
  if (cursor !== undefined && cursor.updated === undefined) throw noCursor()
  const begin = from === undefined ? [] : [{ sql: 'i.updated >= ?', values: [from] }]
  const { updated = Infinity, run = '' } = cursor ?? {}
  if (updated < to) return [...begin, { sql: '(i.updated, i.run) < (?, ?)', values: [updated, run] }]
  return to === Infinity ? begin : [...begin, { sql: 'i.updated < ?', values: [to] }]
}

/** Patterns as ranges of ids, in order; none begins before the one before it has ended. */
function rangesOf(patterns: readonly string[]): readonly (readonly [first: string, beyond: string])[] {
  const ranges = patterns.map((pattern): readonly [string, string] => {
    const first = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
    // What follows `~`, the greatest character of an id, is in none; an id alone is followed by the least there is.
    return [first, `${first}${pattern.endsWith('*') ? '\u007f' : '\u0001'}`]
  })
  const apart: (readonly [string, string])[] = []
  // Of those that begin alike the widest comes first: the others are inside of it.
  const compared = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
  const sorted = ranges.toSorted(([a, aBeyond], [b, bBeyond]) => compared(a, b) || compared(bBeyond, aBeyond))
  for (const [first, beyond] of sorted) {
    const last = apart.at(-1)
    // One is inside of the other, or they have nothing in common.
    if (last === undefined || first >= last[1]) apart.push([first, beyond])
  }
  return apart
}

/** Where the page before ended. */
function cursorOf({
  after,
}: CatalogQuery): { readonly updated: number | undefined; readonly run: RunId } | undefined {
  if (after === undefined) return undefined
  const [, updated, run] = /^(\d{1,15})?:(.+)$/.exec(after) ?? []
  if (run === undefined) throw noCursor()
  return { updated: updated === undefined ? undefined : Number(updated), run: parseRunId(run) }
}

function noCursor(): WaystoneError {
  return new WaystoneError('request_refused', 'expected `after` as the `next` of a page')
}

function pageOf(
  { rows, end }: Found,
  limit: number,
  cursor: (row: Pick<CatalogRow, 'updated' | 'run'>) => string,
): CatalogPage {
  const runs = rows.slice(0, limit)
  const last = rows.length > limit ? runs.at(-1) : end
  return { runs: runs.map(entryOf), ...(last ? { next: cursor(last) } : {}) }
}

function allOf(conditions: readonly Condition[]): string {
  return conditions.map(({ sql }) => `(${sql})`).join(' AND ') || 'TRUE'
}

function entryOf(row: CatalogRow): CatalogEntry {
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
