import { DurableObject } from 'cloudflare:workers'
import type { IndexUpdate, IndexUpdated, SearchCalls, ShardFound, ShardQuery } from './search-entry.ts'
import { sqlSearch, type SqlSearch } from './sql-search.ts'

/**
 * The Durable Object class of the texts of runs, by their words: some objects a tenant, each of which has some of its runs. Runs
 * tell it of their entries, a few seconds after they have come. Export it from the worker under the name that its binding has.
 *
 * @example
 * export const Search = searchObject<Env>()
 */
export function searchObject<Env>(): new (
  ctx: DurableObjectState,
  env: Env,
) => DurableObject<Env> & SearchCalls {
  return class SearchObject extends DurableObject<Env> implements SearchCalls {
    readonly #search: SqlSearch

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env)
      this.#search = sqlSearch(ctx.storage)
    }

    async put(shard: number, update: IndexUpdate): Promise<IndexUpdated> {
      return this.#search.put(shard, update)
    }

    async remove(run: string): Promise<void> {
      // Others have their turn in between.
      while (!this.#search.removeSome(run)) await scheduler.wait(0)
    }

    async find(query: ShardQuery): Promise<ShardFound> {
      return this.#search.find(query)
    }
  }
}
