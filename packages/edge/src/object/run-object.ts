import { DurableObject } from 'cloudflare:workers'
import { checkVersions, WaystoneError, type AnyAgent } from '@waystone/core'
import type { CatalogNamespace } from '../catalog/catalog-entry.ts'
import { errorResponse } from '../http/errors.ts'
import { reportNothing, type Report } from '../report.ts'
import { runSearch, type SearchOptions } from '../search/tenant-search.ts'
import type { HistoryOptions } from '../store/run-history.ts'
import type { Watch } from '../watch/edge-event.ts'
import type { Quota } from './quota.ts'
import { createRunHost, type HostedRun } from './create-run-host.ts'
import type { RunAnswer, RunCall, RunCalls } from './run-call.ts'

/** What an object of runs needs. */
export interface RunObjectOptions<Env> {
  /** The agents that run at the edge, with their needs from the environment. */
  readonly agents: (env: Env) => readonly AnyAgent[]
  /**
   * Versions of what the agents depend on, such as `{ ai: '7.0.1' }`: at most 32, of at most 100 characters. They stand in the
   * log with the version of Waystone.
   */
  readonly versions?: Readonly<Record<string, string>>
  /** The bucket of blobs and artifacts. */
  readonly blobs: (env: Env) => R2Bucket
  /** The namespace of this class itself. With it runs can have children here; without it one that spawns waits for a browser. */
  readonly runs?: (env: Env) => DurableObjectNamespace
  /** The namespace of the class that `catalogObject` made; without one runs are in no list at the edge. */
  readonly catalog?: (env: Env) => CatalogNamespace
  /** Where the text of runs may be searched, and whose. The same as for `edgeRoutes`; by default nobody's. */
  readonly search?: SearchOptions<Env>
  /** How much a run may keep here. */
  readonly quota?: (env: Env) => Quota
  /** With it encrypted runs can go on here; the same as that of `edgeRoutes`. */
  readonly lendingSecret?: (env: Env) => string | undefined
  /** What of the history of a run stays in its object. */
  readonly history?: HistoryOptions
  /** After so many steps a run goes on in another alarm: see `RunHostOptions`. */
  readonly stepsAnAlarm?: number
  /** Replays every turn before it commits: see `RunHostOptions`. */
  readonly development?: (env: Env) => boolean
  /** Hears of what failed without anybody waiting for it. */
  readonly report?: Report
  /** Hears of what is stored and read, and of changes of the owner: `logEvents`, `analyticsEvents`, or one's own. */
  readonly watch?: (env: Env) => Watch | undefined
}

/**
 * The Durable Object class of runs: one object a run. Export it from the worker under the name that its binding has. To
 * host a run in a class of your own instead, use `createRunHost`.
 *
 * @example
 * export const RunObject = runObject<Env>({ agents: (env) => [researcher.provide({ llm: viaKey(env.KEY) })], blobs: (env) => env.BLOBS, runs: (env) => env.RUNS })
 */
export function runObject<Env>(
  options: RunObjectOptions<Env>,
): new (ctx: DurableObjectState, env: Env) => DurableObject<Env> & RunCalls {
  checkVersions(options.versions)
  const report = options.report ?? reportNothing
  return class RunObject extends DurableObject<Env> implements RunCalls {
    readonly #host: HostedRun

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env)
      const catalog = options.catalog?.(env)
      const watch = options.watch?.(env)
      this.#host = createRunHost(ctx, {
        agents: () => options.agents(env),
        blobs: options.blobs(env),
        ...(catalog ? { catalog: (tenant) => catalog.get(catalog.idFromName(tenant)) } : {}),
        ...(options.search ? { search: runSearch(options.search, env) } : {}),
        ...(options.runs ? { runs: options.runs(env) } : {}),
        report,
        ...(options.versions ? { versions: options.versions } : {}),
        ...(options.quota ? { quota: options.quota(env) } : {}),
        ...(watch ? { watch } : {}),
        lendingSecret: options.lendingSecret?.(env),
        ...(options.history ? { history: options.history } : {}),
        development: options.development?.(env) ?? false,
        ...(options.stepsAnAlarm ? { stepsAnAlarm: options.stepsAnAlarm } : {}),
      })
    }

    override async fetch(request: Request): Promise<Response> {
      return this.#host.fetch(request) ?? errorResponse(noRoute(), report)
    }

    runCall(call: RunCall): Promise<RunAnswer> {
      return this.#host.runCall(call)
    }

    override async alarm(): Promise<void> {
      await this.#host.alarm()
    }

    override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
      await this.#host.webSocketMessage(socket, message)
    }

    override webSocketClose(socket: WebSocket, code: number): void {
      this.#host.webSocketClose(socket, code)
    }
  }
}

function noRoute(): WaystoneError {
  return new WaystoneError('request_refused', 'there is no such route')
}
