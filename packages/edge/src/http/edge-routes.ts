import type { Grant } from '@waystone/access'
import { headers, limits, sdkVersion, toBase64, WaystoneError } from '@waystone/core'
import { publicKeyOf } from '@waystone/encryption'
import { Hono, type Context } from 'hono'
import { cors } from 'hono/cors'
import { isShared, withAsking } from '../access/asking.ts'
import type { Auth } from '../access/auth.ts'
import { lendingPair } from '../access/lending.ts'
import type { CatalogCalls, CatalogNamespace } from '../catalog/catalog-entry.ts'
import type { Quota } from '../object/quota.ts'
import { reportNothing, type Report } from '../report.ts'
import { searchTenant, type SearchOptions } from '../search/tenant-search.ts'
import { errorResponse } from './errors.ts'
import { exportTenant } from './export-tenant.ts'
import { Guard } from './guard.ts'
import { openApi } from './openapi.ts'
import { limitIn, textIn } from './query.ts'
import { pathOf, routeList, routes, type RouteName } from './routes.ts'
import { runHandlers, type RunRequest } from './run-handlers.ts'
import { runsSocket, type AskToFollow, type FollowWord } from './runs-socket.ts'
import { socketCodes } from './sockets.ts'
import { placedSocket, takeSocketPlace, type SocketPlace } from './tenant-sockets.ts'
import { watchRequest } from '../watch/watch-request.ts'
import type { Watch } from '../watch/edge-event.ts'

/** What the routes need of the environment they are mounted in. */
export interface EdgeRoutesOptions<Env> {
  /** The namespace of the class that `runObject` made. */
  readonly runs: (env: Env) => DurableObjectNamespace
  readonly blobs: (env: Env) => R2Bucket
  /** The namespace of the class that `catalogObject` made; without one there are no lists of runs. */
  readonly catalog?: (env: Env) => CatalogNamespace
  /** Where the text of runs may be searched, and whose. The same as for `runObject`; by default nobody's. */
  readonly search?: SearchOptions<Env>
  /** Who is let in: `signedTokens`, `sharedSecret`, or a function of the application's own. */
  readonly auth: (env: Env) => Auth
  /** With it encrypted runs can go on at this edge: devices lend it their keys, sealed for what this secret makes. */
  readonly lendingSecret?: (env: Env) => string | undefined
  /** Origins whose pages may ask, besides the worker's own. */
  readonly origins?: (env: Env) => readonly string[]
  /** How often may be asked: bindings of Cloudflare's rate limiter, asked with the tenant's or the run's name. */
  readonly rates?: (env: Env) => { readonly tenant?: RateLimit; readonly run?: RateLimit }
  /** How many sockets a tenant may have at a time; what else a quota says is for `runObject`. */
  readonly quota?: (env: Env) => Pick<Quota, 'tenantSocketsMax'>
  /** Hears of requests that failed and were not refused: answers of status 500. */
  readonly report?: Report
  /** Hears of requests that were refused, and of entries that devices have read. */
  readonly watch?: (env: Env) => Watch | undefined
}

/**
 * The HTTP routes of the edge, under `/v1`. Mount them in a worker: they let in who may do what is asked, bound what is
 * read, and hand each run's requests to its object. `GET /v1/openapi.json` describes them.
 */
export function edgeRoutes<Env extends object>(options: EdgeRoutesOptions<Env>): Hono<{ Bindings: Env }> {
  const app = new Hono<{ Bindings: Env }>()
  const report = options.report ?? reportNothing
  const guard = new Guard(options)
  app.onError((error) => errorResponse(error, report))
  app.notFound(() => errorResponse(noRoute(), report))
  app.use('/v1/*', (context, next) => {
    // The answer to an upgrade carries a socket, which is lost when a middleware rewrites its headers.
    if (context.req.header('upgrade') !== undefined) return next()
    return cors({
      origin: (origin) => (options.origins?.(context.env).includes(origin) ? origin : null),
      allowMethods: ['GET', 'POST', 'PUT', 'DELETE'],
      allowHeaders: ['authorization', 'content-type', headers.after, headers.base, headers.device],
      exposeHeaders: [headers.head, headers.inbox, headers.code, headers.entries, headers.accepts],
      // Two hours are what Chromium remembers at most (2026).
      maxAge: 7_200,
    })(context, next)
  })
  app.use('/v1/*', async (context, next) => {
    await next()
    const { res } = context
    if (res.status !== 101 && !res.headers.has('cache-control')) context.header('cache-control', 'no-store')
  })
  app.get('/v1/health', (context) => context.json({ ok: true }))
  app.get('/v1/openapi.json', (context) => context.json(openApi(sdkVersion)))
  for (const [name, route] of routeList) {
    const path = pathOf(route).replaceAll(/\{(\w+)\}/g, ':$1')
    app.on(route.method.toUpperCase(), path, (context) => {
      const { env, req } = context
      const named = { run: req.param('run'), hash: req.param('hash') }
      const finish = finishing(context)
      if (name !== 'follow') return answered(env, name, req.raw, { ...named, finish })
      return answered(env, name, req.raw, { ...named, finish }, async (socket, tenant) => {
        const place = await placeOf(env, tenant, socket, (telling) => context.executionCtx.waitUntil(telling))
        return opened(env, req.raw, socket, place)
      })
    })
  }
  return app

  /** Any request to a route: who asks is let in, and it is handed to whoever answers. `accept` gets a socket that is its answer. */
  async function answered(
    env: Env,
    name: RouteName,
    request: Request,
    { run: named, hash, finish = (work) => work }: Named,
    accept?: (socket: WebSocket, tenant: string) => Promise<Response | undefined>,
  ): Promise<Response> {
    const watched = watchRequest(name, options.watch?.(env))
    try {
      const { grant, run } = await guard.admit(env, request, routes[name], named)
      watched.about(grant.tenant, run)
      if (name === 'lendingKey') return watched.answered(await lendingKey(options.lendingSecret?.(env)))
      if (run === undefined) return watched.answered(await ofTenant(name, env, request, grant))
      const ask = guard.asking(env, grant)
      const asked = { request, run, hash, grant, ask, bucket: options.blobs(env), finish }
      const answer = await (runHandlers[name]?.(asked) ?? ask(run, request))
      const accepted = answer.webSocket ? await accept?.(answer.webSocket, grant.tenant) : undefined
      return watched.answered(accepted ?? answer)
    } catch (error) {
      return watched.answered(errorResponse(error, report))
    }
  }

  /** A socket as its client gets it; undefined for one that it gets as it is. */
  function opened(
    env: Env,
    request: Request,
    socket: WebSocket,
    place: SocketPlace | undefined,
  ): Response | undefined {
    const ask: AskToFollow = (word) => answered(env, 'follow', followRequest(request, word), word)
    if (isShared(request)) return runsSocket(socket, ask, place)
    return place && placedSocket(socket, place)
  }

  /** The place of a socket, where these are counted. Closes one that has none, and rejects with `limit_exceeded`. */
  async function placeOf(
    env: Env,
    tenant: string,
    socket: WebSocket,
    waitUntil: (telling: Promise<void>) => void,
  ): Promise<SocketPlace | undefined> {
    const socketsMax = options.quota?.(env).tenantSocketsMax
    if (socketsMax === undefined) return undefined
    const failed = (error: unknown): void => report({ where: 'catalog', error })
    try {
      return await takeSocketPlace({ catalog: catalogOf(env, tenant), socketsMax, waitUntil, failed })
    } catch (error) {
      socket.accept()
      socket.close(socketCodes.comeAgain)
      throw error
    }
  }

  /** The types of calls between objects know what is a promise there, and nothing of brands. */
  function catalogOf(env: Env, tenant: string): DurableObjectStub & CatalogCalls {
    const catalog = options.catalog?.(env)
    if (catalog === undefined) throw noCatalog()
    return catalog.get(catalog.idFromName(tenant)) as unknown as DurableObjectStub & CatalogCalls
  }

  async function ofTenant(name: RouteName, env: Env, request: Request, grant: Grant): Promise<Response> {
    const query = new URL(request.url).searchParams
    const paged = { limit: limitIn(query, limits.listRunsMax), after: textIn(query, 'after') }
    const { tenant, runs } = grant
    if (name === 'search') {
      const asked = { words: query.get('q') ?? '', runs, ...paged }
      return Response.json(await searchTenant(options.search, env, tenant, asked))
    }
    const catalog = catalogOf(env, tenant)
    if (name !== 'exportRuns') return askCatalog(catalog, request, grant)
    return exportTenant({ grant, catalog, ask: guard.asking(env, grant), ...paged })
  }
}

/** What the address of a request names, and how what it begins is finished. */
interface Named {
  readonly run?: string | undefined
  readonly hash?: string | undefined
  readonly finish?: RunRequest['finish']
}

/** Has the runtime wait for work after the answer, and after its client has gone. */
function finishing(context: Context): RunRequest['finish'] {
  return (work) => {
    executionOf(context)?.waitUntil(work.catch(() => undefined))
    return work
  }
}

/** Undefined for routes that are called without one: then nothing ends the work either. */
function executionOf(context: Context): Context['executionCtx'] | undefined {
  try {
    return context.executionCtx
  } catch {
    return undefined
  }
}

/** A request for a socket of its own, by who has opened one of many runs. */
function followRequest(opened: Request, { run, from, token }: FollowWord): Request {
  const url = new URL(opened.url)
  url.pathname = `/v1/runs/${run}/live`
  url.searchParams.set('from', String(from))
  const request = new Request(url, opened)
  if (token !== undefined) request.headers.set('authorization', `Bearer ${token}`)
  return request
}

/** What is asked of all runs of a tenant, or of those that a token is for: which these are is the token's to say. */
function askCatalog(
  catalog: DurableObjectStub,
  request: Request,
  { runs, ...asking }: Grant,
): Promise<Response> {
  const url = new URL(request.url)
  url.searchParams.delete('run')
  for (const pattern of runs) url.searchParams.append('run', pattern)
  return catalog.fetch(withAsking(new Request(url, request), asking))
}

function noCatalog(): WaystoneError {
  return new WaystoneError('request_refused', 'this edge has no catalog: bind one and pass it as `catalog`')
}

/** The key that keys are lent to; null where none are borrowed. */
async function lendingKey(secret: string | undefined): Promise<Response> {
  const key = secret === undefined ? null : toBase64(await publicKeyOf(await lendingPair(secret)))
  return Response.json({ key })
}

function noRoute(): WaystoneError {
  return new WaystoneError('request_refused', 'there is no such route')
}
