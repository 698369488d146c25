import { digestBytes, utf8, WaystoneError } from '@waystone/core'
import { matchOf } from './match.ts'
import type {
  IndexUpdate,
  IndexUpdated,
  SearchCalls,
  SearchHit,
  SearchNamespace,
  SearchPage,
} from './search-entry.ts'
import { shardsMax } from './sql-search.ts'

/** Which tenants may search the history of their runs, and where its text is. */
export interface SearchOptions<Env> {
  /** The namespace of the class that `searchObject` made. */
  readonly shards: (env: Env) => SearchNamespace
  /** True for tenants whose runs are searched. Of others nothing is kept, and what was kept of them goes when their runs wake. */
  readonly tenants: (tenant: string, env: Env) => boolean
}

/** The shard that has the text of one run. */
export interface RunIndex {
  put(update: IndexUpdate): Promise<IndexUpdated>
  remove(): Promise<void>
}

/** Search as the objects of runs know it. */
export interface RunSearch {
  isOn(tenant: string): boolean
  indexOf(tenant: string, run: string): RunIndex
}

/** Search in one environment, for the objects of runs. */
export function runSearch<Env>({ shards, tenants }: SearchOptions<Env>, env: Env): RunSearch {
  return {
    isOn: (tenant) => tenants(tenant, env),
    indexOf(tenant, run) {
      const shard = shardOf(run)
      const stub = stubOf(shards(env), tenant, shard)
      return { put: (update) => stub.put(shard, update), remove: () => stub.remove(run) }
    },
  }
}

/** What is looked for. */
export interface SearchQuery {
  /** As somebody has written it. */
  readonly words: string
  /** Which runs may be seen: ids, or what ids begin with and `*`. */
  readonly runs: readonly string[]
  readonly limit: number
  /** Where the page before ended. */
  readonly after: string | undefined
}

/** Asks all shards of a tenant. What was indexed last comes first. Throws `request_refused`. */
export async function searchTenant<Env>(
  options: SearchOptions<Env> | undefined,
  env: Env,
  tenant: string,
  { words, runs, limit, after }: SearchQuery,
): Promise<SearchPage> {
  if (options?.tenants(tenant, env) !== true)
    throw new WaystoneError('request_refused', `search is not switched on for tenant ${tenant}`)
  const query = { match: matchOf(words), runs, before: cursorOf(after), limit: limit + 1 }
  const namespace = options.shards(env)
  const shards = Array.from({ length: shardsMax }, (_, shard) => stubOf(namespace, tenant, shard))
  const found = await Promise.all(shards.map((shard) => shard.find(query)))
  // Before this one some shards have not looked yet.
  const end = Math.max(0, ...found.map((one) => one.end ?? 0))
  const hits = found
    .flatMap((one) => one.hits)
    .filter(({ id }) => id >= end)
    .toSorted((a, b) => b.id - a.id)
  const page = hits.slice(0, limit)
  const last = hits.length > limit ? page.at(-1)?.id : end === 0 ? undefined : end
  return {
    hits: page.map(({ run, seq, kind, time, snippet }): SearchHit => ({ run, seq, kind, time, snippet })),
    ...(last === undefined ? {} : { next: String(last) }),
  }
}

/** Which shard has a run: always the same. */
function shardOf(run: string): number {
  return Number.parseInt(digestBytes(utf8(run)).slice(0, 8), 16) % shardsMax
}

function stubOf(namespace: SearchNamespace, tenant: string, shard: number): SearchCalls {
  return namespace.get(namespace.idFromName(`${tenant}/${String(shard)}`)) as unknown as SearchCalls
}

function cursorOf(after: string | undefined): number {
  if (after === undefined) return Number.MAX_SAFE_INTEGER
  const before = Number(after)
  if (/^\d{1,16}$/.test(after) && Number.isSafeInteger(before)) return before
  throw new WaystoneError('request_refused', 'expected `after` as the `next` of a page')
}
