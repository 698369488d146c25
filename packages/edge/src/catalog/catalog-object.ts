import { DurableObject } from 'cloudflare:workers'
import { fromWire, limits, parseRunId, type RunId } from '@waystone/core'
import { askingOf, withAsking, type Asking } from '../access/asking.ts'
import { errorResponse } from '../http/errors.ts'
import { socketAgeMsMax } from '../http/sockets.ts'
import { countIn, flagIn, limitIn, textIn } from '../http/query.ts'
import { reportNothing, type Report } from '../report.ts'
import { objectName } from '../store/tenant-names.ts'
import type { CatalogCalls, CatalogEntry, CatalogPage, CatalogQuery } from './catalog-entry.ts'
import { keyringResponse } from './keyring-response.ts'
import { metricsText } from './metrics-text.ts'
import { RunsDeletion } from './runs-deletion.ts'
import { sqlCatalog, type SqlCatalog } from './sql-catalog.ts'
import { sqlKeyrings, type SqlKeyrings } from './sql-keyrings.ts'

/** What an object of a catalog needs. */
export interface CatalogObjectOptions<Env> {
  /** The namespace of the class that `runObject` made. */
  readonly runs: (env: Env) => DurableObjectNamespace
  /** Hears of what failed without anybody waiting for it. */
  readonly report?: Report
}

/** How long the place of a run is kept that is not told of, in ms: as long as it may take its object to reach the catalog again. */
const placeMs = 60 * 60_000
/** How long the place of a socket is kept, in ms: longer than one is open. */
const socketMs = socketAgeMsMax + 5 * 60_000

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
    readonly #deletion: RunsDeletion

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env)
      this.#catalog = sqlCatalog(ctx.storage)
      this.#keyrings = sqlKeyrings(ctx.storage)
      const deleteRun = (tenant: string, run: RunId): Promise<void> => this.#deleteRun(tenant, run)
      this.#deletion = new RunsDeletion({
        storage: ctx.storage,
        catalog: this.#catalog,
        deleteElse: () => this.#keyrings.clear(),
        deleteRun,
      })
      void this.#deletion.rearm().catch((error: unknown) => report({ where: 'alarm', error }))
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

    async reserve(run: string, runsMax: number): Promise<boolean> {
      const now = Date.now()
      return this.#catalog.reserve(parseRunId(run), runsMax, { now, until: now + placeMs })
    }

    async release(run: string): Promise<void> {
      this.#catalog.release(parseRunId(run))
    }

    async openSocket(id: string, socketsMax: number): Promise<boolean> {
      const now = Date.now()
      return this.#catalog.openSocket(id, socketsMax, { now, until: now + socketMs })
    }

    async closeSocket(id: string): Promise<void> {
      this.#catalog.closeSocket(id)
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
      // It throws to nobody: it has set the next alarm.
      await this.#deletion.goOn().catch((error: unknown) => report({ where: 'alarm', error }))
    }

    async #deleteAll({ tenant }: Asking): Promise<Response> {
      await this.#deletion.begin(tenant)
      return new Response(null, { status: 202 })
    }

    async #deleteRun(tenant: string, run: RunId): Promise<void> {
      const namespace = options.runs(this.env)
      const stub = namespace.get(namespace.idFromName(objectName(tenant, run)))
      const request = new Request(`https://edge/v1/runs/${run}`, { method: 'DELETE' })
      const response = await stub.fetch(withAsking(request, { tenant, operations: ['delete'] }))
      if (!response.ok) throw fromWire(await response.json())
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
