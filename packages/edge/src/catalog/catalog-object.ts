import { DurableObject } from 'cloudflare:workers'
import { limits, parseRunId, type RunId } from '@waystone/core'
import { askingOf, withAsking, type Asking } from '../access/asking.ts'
import { errorResponse } from '../http/errors.ts'
import { countIn, flagIn, limitIn, textIn } from '../http/query.ts'
import { reportNothing, type Report } from '../report.ts'
import { objectName } from '../store/tenant-names.ts'
import type { CatalogCalls, CatalogEntry, CatalogPage, CatalogQuery } from './catalog-entry.ts'
import { keyringResponse } from './keyring-response.ts'
import { metricsText } from './metrics-text.ts'
import { sqlCatalog, type SqlCatalog } from './sql-catalog.ts'
import { sqlKeyrings, type SqlKeyrings } from './sql-keyrings.ts'

/** What an object of a catalog needs. */
export interface CatalogObjectOptions<Env> {
  /** The namespace of the class that `runObject` made. */
  readonly runs: (env: Env) => DurableObjectNamespace
  /** Hears of what failed without anybody waiting for it. */
  readonly report?: Report
}

/** Runs on a page of those to delete, and when those that were not are tried again, in ms. */
const deletedAtOnce = 50
const againMs = 10_000

/**
 * The Durable Object class of catalogs: one object a tenant. Runs tell it when their status changes, never of appends. Export
 * it from the worker under the name that its binding has.
 *
 * @example
 * export const Catalog = catalogObject<Env>({ runs: (env) => env.RUNS })
 */
export function catalogObject<Env>(
  options: CatalogObjectOptions<Env>,
): new (ctx: DurableObjectState, env: Env) => DurableObject<Env> & CatalogCalls {
  const report = options.report ?? reportNothing
  return class CatalogObject extends DurableObject<Env> implements CatalogCalls {
    readonly #catalog: SqlCatalog
    readonly #keyrings: SqlKeyrings

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env)
      this.#catalog = sqlCatalog(ctx.storage)
      this.#keyrings = sqlKeyrings(ctx.storage)
    }

    async put(entry: CatalogEntry, version: number): Promise<void> {
      this.#catalog.put(entry, version)
    }

    async begun(run: string): Promise<void> {
      this.#catalog.begun(parseRunId(run))
    }

    async remove(run: string): Promise<void> {
      this.#catalog.remove(parseRunId(run))
    }

    async runs(): Promise<number> {
      return this.#catalog.size()
    }

    async page(query: CatalogQuery): Promise<CatalogPage> {
      return this.#catalog.page(query)
    }

    override async fetch(request: Request): Promise<Response> {
      try {
        const url = new URL(request.url)
        const asking = askingOf(request)
        if (url.pathname === '/v1/metrics') return metricsText(this.#catalog.counts())
        if (url.pathname === '/v1/keyring') return await keyringResponse(request, asking, this.#keyrings)
        if (request.method === 'DELETE') return await this.#deleteAll(asking)
        return Response.json(this.#catalog.page(queryOf(url.searchParams)))
      } catch (error) {
        return errorResponse(error, report)
      }
    }

    override async alarm(): Promise<void> {
      try {
        await this.#deleteSome()
      } catch (error) {
        report({ where: 'alarm', error })
        await this.ctx.storage.setAlarm(Date.now() + againMs)
      }
    }

    /** From here on all runs of the tenant are being deleted, whatever happens before they are. */
    async #deleteAll({ tenant }: Asking): Promise<Response> {
      await this.ctx.storage.put('deleting', tenant)
      await this.ctx.storage.setAlarm(Date.now())
      return new Response(null, { status: 202 })
    }

    /** One that fails holds up no other. */
    async #deleteSome(): Promise<void> {
      const tenant = await this.ctx.storage.get<string>('deleting')
      if (tenant === undefined) return
      this.#keyrings.clear()
      const failures: unknown[] = []
      for (let after: RunId | undefined, some = this.#catalog.all(deletedAtOnce); some.length > 0;) {
        for (const run of some)
          await this.#deleteRun(tenant, run).catch((error: unknown) => failures.push(error))
        after = some.at(-1)
        some = this.#catalog.all(deletedAtOnce, after)
      }
      if (failures.length > 0)
        throw new AggregateError(failures, `${String(failures.length)} runs were not deleted`)
      // Some may have been told of meanwhile.
      if (this.#catalog.all(1).length === 0) await this.ctx.storage.delete('deleting')
      else await this.ctx.storage.setAlarm(Date.now())
    }

    async #deleteRun(tenant: string, run: RunId): Promise<void> {
      const namespace = options.runs(this.env)
      const stub = namespace.get(namespace.idFromName(objectName(tenant, run)))
      const request = new Request(`https://edge/v1/runs/${run}`, { method: 'DELETE' })
      const response = await stub.fetch(withAsking(request, { tenant, operations: ['delete'] }))
      if (!response.ok) throw new Error(`run ${run} was not deleted: ${await response.text()}`)
      this.#catalog.remove(run)
    }
  }
}

function queryOf(given: URLSearchParams): CatalogQuery {
  return {
    status: textIn(given, 'status'),
    agent: textIn(given, 'agent'),
    place: textIn(given, 'place'),
    label: textIn(given, 'label'),
    valid: flagIn(given, 'valid'),
    from: countIn(given, 'from'),
    to: countIn(given, 'to'),
    after: textIn(given, 'after'),
    limit: limitIn(given, limits.listRunsMax),
    runs: given.getAll('run'),
  }
}
