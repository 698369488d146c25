// The edge of the benchmark of catalogs. Plain JavaScript: this folder is type-checked with the DOM, and workers do not fit there.
import { operations } from '@waystone/access'
import { catalogObject, edgeRoutes, runObject } from '@waystone/edge'

export const RunObject = runObject({ agents: () => [], blobs: (env) => env.BLOBS, report: console.error })

/** As if runs `from` to `to` had told of themselves: what `put` writes, in one statement for many. */
const fillRuns = `
  WITH RECURSIVE numbers (n) AS (SELECT CAST(? AS INTEGER) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?)
  INSERT INTO waystone_catalog (run, version, agent, status, place, owner, labels, valid, started, updated)
  SELECT printf('user%03d.%07d', n % 1000, n), 1, 'agent-' || CASE WHEN n % 10 < 5 THEN 0 ELSE n % 97 END,
    CASE WHEN n % 200 < 1 THEN 'paused' WHEN n % 200 < 4 THEN 'cancelled' WHEN n % 200 < 10 THEN 'failed' WHEN n % 200 < 20 THEN 'running'
      WHEN n % 200 < 40 THEN 'waiting' ELSE 'done' END,
    CASE WHEN n % 1000 = 7 THEN 'page' WHEN n % 5 < 2 THEN 'edge' ELSE 'browser' END, 'laptop',
    CASE WHEN n % 100000 = 3 THEN '["rare","approved"]' WHEN n % 10 = 3 THEN '["approved"]' ELSE '[]' END,
    n % 1000 <> 11, 1700000000000, 1700000000000 + (n * 7919) % 1000003 * 1000 FROM numbers`
const fillLabels = `
  INSERT INTO waystone_catalog_labels (label, updated, run)
  SELECT value, updated, run FROM waystone_catalog, json_each(labels) WHERE labels <> '[]'`

/** A catalog that can be filled at once, and tells what its storage has been asked for. */
export class Catalog extends catalogObject({ runs: (env) => env.RUNS, report: console.error }) {
  #cursors = []

  constructor(ctx, env) {
    super(ctx, env)
    // The runtime takes no other state than its own: so its own counts.
    const { sql } = ctx.storage
    const exec = sql.exec.bind(sql)
    sql.exec = (...statement) => {
      const cursor = exec(...statement)
      this.#cursors.push(cursor)
      return cursor
    }
  }

  fill(from, to) {
    this.ctx.storage.sql.exec(fillRuns, from, to)
  }

  label() {
    this.ctx.storage.sql.exec(fillLabels)
    return this.ctx.storage.sql.databaseSize
  }

  /** How many rows were written since it was asked last: those of indexes are rows, too. */
  written() {
    return this.#cursors.splice(0).reduce((sum, { rowsWritten }) => sum + rowsWritten, 0)
  }
}

/** The secret lets in for all runs; with runs behind it for these only. */
const auth = (env) => async (bearer) => {
  const [secret, ...runs] = bearer.split(',')
  if (secret !== env.TOKEN) throw new Error('another secret')
  return { tenant: 'bench', runs: runs.length === 0 ? ['*'] : runs, operations }
}

const routes = edgeRoutes({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  catalog: (env) => env.CATALOG,
  auth,
  report: console.error,
})

// oxlint-disable-next-line import/no-default-export -- what workerd asks for
export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url)
    const catalog = env.CATALOG.get(env.CATALOG.idFromName('bench'))
    if (pathname === '/fill') {
      await catalog.fill(Number(searchParams.get('from')), Number(searchParams.get('to')))
      return new Response('filled')
    }
    if (pathname === '/label') return Response.json(await catalog.label())
    if (pathname === '/written') return Response.json(await catalog.written())
    if (pathname === '/put') {
      const { entry, version } = await request.json()
      await catalog.put(entry, version)
      return new Response('put')
    }
    return routes.fetch(request, env, ctx)
  },
}
