import { allows, type Grant } from '@waystone/access'
import {
  headers,
  limits,
  parseDigest,
  parseRunId,
  sdkVersion,
  WaystoneError,
  type RunId,
} from '@waystone/core'
import { Hono, type Context } from 'hono'
import { cors } from 'hono/cors'
import { forbidden, withAsking, type Asking } from '../access/asking.ts'
import { letIn, notLetIn, type Auth } from '../access/auth.ts'
import { parseLink, type Link } from '../access/link.ts'
import { blobHeaders, blobMissing } from '../object/blob-routes.ts'
import { reportNothing, type Report } from '../report.ts'
import { blobKey, r2Blobs } from '../store/r2-blobs.ts'
import { rowBlobBytesMax } from '../store/row-blobs.ts'
import { objectName } from '../store/tenant-names.ts'
import { hashesBytesMax, hashesOf } from './blob-frames.ts'
import { readBody, readJson, tooLarge } from './body.ts'
import { errorResponse } from './errors.ts'
import { openApi } from './openapi.ts'
import { routeList, type Route, type RouteName } from './routes.ts'
import { shareBlobs } from './share-blobs.ts'

/** What the routes need of the environment they are mounted in. */
export interface EdgeRoutesOptions<Env> {
  /** The namespace of the class that `runObject` made. */
  readonly runs: (env: Env) => DurableObjectNamespace
  readonly blobs: (env: Env) => R2Bucket
  /** Who is let in: `signedTokens`, `sharedSecret`, or a function of the application's own. */
  readonly auth: (env: Env) => Auth
  /** Origins whose pages may ask, besides the worker's own. */
  readonly origins?: (env: Env) => readonly string[]
  /** How often may be asked: bindings of Cloudflare's rate limiter, asked with the tenant's or the run's name. */
  readonly rates?: (env: Env) => { readonly tenant?: RateLimit; readonly run?: RateLimit }
  /** Hears of requests that failed by a defect. */
  readonly report?: Report
}

/** A request that was let in. */
interface Admitted {
  readonly request: Request
  readonly run: RunId
  /** What stands in the path where a route has `{hash}`. */
  readonly hash: string | undefined
  readonly grant: Grant
  /** Asks the object of a run of the same tenant, as who asks here. */
  readonly ask: (run: RunId, request: Request) => Promise<Response>
  readonly bucket: R2Bucket
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
      allowHeaders: ['authorization', 'content-type', 'last-event-id', headers.base, headers.device],
      exposeHeaders: [headers.head, headers.inbox],
      maxAge: 600,
    })(context, next)
  })
  app.get('/v1/health', (context) => context.json({ ok: true }))
  app.get('/v1/openapi.json', (context) => context.json(openApi(sdkVersion)))
  for (const [name, route] of routeList) {
    const path = `/v1/runs/:run${route.path.replaceAll(/\{(\w+)\}/g, ':$1')}`
    app.on(route.method.toUpperCase(), path, async (context) => {
      const admitted = await guard.admit(context, route)
      return (own[name] ?? handOn)(admitted)
    })
  }
  return app
}

/** Decides who is let in. */
class Guard<Env extends object> {
  readonly #options: EdgeRoutesOptions<Env>
  /** One for each environment, since it may remember tokens. */
  readonly #auths = new WeakMap<Env, Auth>()

  constructor(options: EdgeRoutesOptions<Env>) {
    this.#options = options
  }

  /** Throws `unauthorized`, `forbidden`, `limit_exceeded`, `too_large`, `input_refused`. */
  async admit(context: Context<{ Bindings: Env }>, route: Route): Promise<Admitted> {
    const { env } = context
    const request = context.req.raw
    const grant = await letIn((bearer) => this.#grantOf(env, bearer, request), request)
    const run = parseRunId(context.req.param('run'))
    if (!allows(grant, run, route.needs)) throw forbidden(run, route.needs)
    await this.#checkRates(env, grant.tenant, run)
    if (route.body !== undefined) checkLength(request, route.body.bytesMax)
    const { runs: _, ...asking } = grant
    return {
      request,
      run,
      hash: context.req.param('hash'),
      grant,
      ask: (other, inner) => this.#object(env, grant.tenant, other).fetch(withAsking(inner, asking)),
      bucket: this.#options.blobs(env),
    }
  }

  #grantOf(env: Env, bearer: string, request: Request): Promise<Grant> {
    const link = linkOf(bearer)
    return link ? this.#grantOfLink(env, link) : this.#auth(env)(bearer, request)
  }

  #auth(env: Env): Auth {
    const known = this.#auths.get(env)
    if (known !== undefined) return known
    const auth = this.#options.auth(env)
    this.#auths.set(env, auth)
    return auth
  }

  /** Only the run knows which links it has. */
  async #grantOfLink(env: Env, link: Link): Promise<Grant> {
    const { tenant, run, secret } = link
    const nobody: Asking = { tenant, operations: [] }
    const url = `https://edge/v1/runs/${run}/links/open`
    const request = new Request(url, { method: 'POST', body: JSON.stringify({ secret }) })
    const response = await this.#object(env, tenant, run).fetch(withAsking(request, nobody))
    if (!response.ok) throw notLetIn()
    const asking = await response.json<Asking>()
    return { ...asking, runs: [run] }
  }

  async #checkRates(env: Env, tenant: string, run: RunId): Promise<void> {
    const rates = this.#options.rates?.(env)
    const [ofTenant, ofRun] = await Promise.all([
      rates?.tenant?.limit({ key: tenant }),
      rates?.run?.limit({ key: `${tenant}/${run}` }),
    ])
    if (ofTenant?.success === false || ofRun?.success === false)
      throw new WaystoneError(
        'limit_exceeded',
        `too many requests for ${ofRun?.success === false ? `run ${run}` : `tenant ${tenant}`}: wait a minute`,
        { run, actions: ['retry'] },
      )
  }

  #object(env: Env, tenant: string, run: RunId): DurableObjectStub {
    const namespace = this.#options.runs(env)
    return namespace.get(namespace.idFromName(objectName(tenant, run)))
  }
}

/** The routes that are more than a question to one object. */
const own: Partial<Record<RouteName, (admitted: Admitted) => Promise<Response>>> = {
  shareBlobs: shareSome,
  putBlob,
  getBlob,
}

function handOn({ request, run, ask }: Admitted): Promise<Response> {
  return ask(run, request)
}

async function shareSome({ request, run, grant, ask, bucket }: Admitted): Promise<Response> {
  const body = await readJson(request, hashesBytesMax)
  const from = parseRunId(typeof body === 'object' && body !== null && 'from' in body ? body.from : undefined)
  if (!allows(grant, from, 'fork')) throw forbidden(from, ['fork'])
  const places = {
    ask: (other: RunId, route: string, init: RequestInit): Promise<Response> =>
      ask(other, new Request(new URL(`/v1/runs/${other}/${route}`, request.url), init)),
    blobs: r2Blobs(bucket, grant.tenant),
  }
  return Response.json({ hashes: await shareBlobs(places, from, run, hashesOf(body)) })
}

async function putBlob({ request, run, hash: named, grant, ask, bucket }: Admitted): Promise<Response> {
  const hash = parseDigest(named)
  const bytes = await readBody(request, limits.blobBytesMax)
  if (bytes.byteLength <= rowBlobBytesMax)
    return ask(run, new Request(request.url, { method: 'PUT', body: bytes }))
  const blobs = r2Blobs(bucket, grant.tenant)
  await blobs.put(run, hash, bytes)
  // Whether the run takes it is asked afterwards, so that none is left behind by a run that is deleted meanwhile.
  const url = new URL(`/v1/runs/${run}/blobs/missing`, request.url)
  const taken = await ask(run, new Request(url, { method: 'POST', body: JSON.stringify({ hashes: [] }) }))
  if (!taken.ok) {
    await blobs.remove(run, [hash])
    return taken
  }
  return new Response(null, { status: 204 })
}

async function getBlob({ request, run, hash: named, grant, ask, bucket }: Admitted): Promise<Response> {
  const hash = parseDigest(named)
  const row = await ask(run, request)
  if (row.status !== 404) return row
  await row.body?.cancel()
  const object = await bucket.get(blobKey(grant.tenant, run, hash))
  if (object === null) throw blobMissing(run, hash)
  return new Response(object.body, { headers: blobHeaders(object.size) })
}

function linkOf(bearer: string): Link | undefined {
  try {
    return parseLink(bearer)
  } catch {
    throw notLetIn()
  }
}

function checkLength(request: Request, bytesMax: number): void {
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge(bytesMax)
}

function noRoute(): WaystoneError {
  return new WaystoneError('request_refused', 'there is no such route')
}
