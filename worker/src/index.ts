import { askTheDocs } from '@waystone/demo/agent'
import { catalogObject, edgeRoutes, runObject, searchObject, type SearchOptions } from '@waystone/edge'
import { authOf } from './auth.ts'
import { originsOf, quotaOf, ratesOf } from './configured.ts'
import { demoRoutes } from './demo-routes.ts'
import type { Env } from './env.ts'
import { fetchTextAtEdge } from './fetch-text.ts'
import { ledgerClient } from './ledger-client.ts'
import { report, watchOf } from './watching.ts'
import { writerAtEdge } from './writer.ts'

export { Ledger } from './ledger.ts'

/** What runs say is kept by its words for those tenants only that are named for it. */
const search: SearchOptions<Env> = {
  shards: (env) => env.SEARCH,
  tenants: (tenant, { WAYSTONE_SEARCH = '' }) => WAYSTONE_SEARCH.split(',').includes(tenant),
}

/** A run at the edge: its log, and the demo's agent with what this place provides. */
export const RunObject = runObject<Env>({
  agents: (env) => [
    askTheDocs.provide({
      fetchText: fetchTextAtEdge(env),
      writer: writerAtEdge(env),
      publish: ledgerClient(env),
    }),
  ],
  blobs: (env) => env.BLOBS,
  runs: (env) => env.RUNS,
  catalog: (env) => env.CATALOG,
  lendingSecret: ({ WAYSTONE_LENDING_SECRET }) => WAYSTONE_LENDING_SECRET,
  search,
  quota: quotaOf,
  watch: watchOf,
  report,
})

/** The runs of a tenant, in a list. */
export const Catalog = catalogObject<Env>({ runs: (env) => env.RUNS, report })

/** What the runs of a tenant say, by its words. */
export const Search = searchObject<Env>()

const runs = edgeRoutes<Env>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  auth: authOf,
  origins: originsOf,
  rates: ratesOf,
  quota: quotaOf,
  watch: watchOf,
  report,
  catalog: (env) => env.CATALOG,
  lendingSecret: ({ WAYSTONE_LENDING_SECRET }) => WAYSTONE_LENDING_SECRET,
  search,
})

export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    return pathname.startsWith('/v1/') ? runs.fetch(request, env, ctx) : demoRoutes(request, env)
  },
} satisfies ExportedHandler<Env>
