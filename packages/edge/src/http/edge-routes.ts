import { headers, limits, parseDigest, parseRunId, WaystoneError, type RunId } from '@waystone/core'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { reportNothing, type Report } from '../report.ts'
import { blobHeaders, blobMissing } from '../object/blob-routes.ts'
import { blobKey, r2Blobs } from '../store/r2-blobs.ts'
import { rowBlobBytesMax } from '../store/row-blobs.ts'
import { hashesBytesMax, hashesOf } from './blob-frames.ts'
import { readBody, readJson } from './body.ts'
import { errorResponse } from './errors.ts'
import { shareBlobs } from './share-blobs.ts'

/** What the routes need of the environment they are mounted in. */
export interface EdgeRoutesOptions<Env> {
  /** The namespace of the class that `runObject` made. */
  readonly runs: (env: Env) => DurableObjectNamespace
  readonly blobs: (env: Env) => R2Bucket
  /** The one bearer secret that lets a device in. Without one every request is refused. */
  readonly token: (env: Env) => string | undefined
  /** Origins whose pages may ask, besides the worker's own. */
  readonly origins?: (env: Env) => readonly string[]
  /** Hears of requests that failed by a defect. */
  readonly report?: Report
}

/**
 * The HTTP routes of the edge, under `/v1`. Mount them in a worker: they let in who has the token, bound what is read,
 * and hand each run's requests to its object.
 */
export function edgeRoutes<Env extends object>(options: EdgeRoutesOptions<Env>): Hono<{ Bindings: Env }> {
  const app = new Hono<{ Bindings: Env }>()
  const report = options.report ?? reportNothing
  app.onError((error) => errorResponse(error, report))
  app.notFound(() => errorResponse(noRoute(), report))
  app.use('/v1/*', (context, next) => {
    // The answer to an upgrade carries a socket, which is lost when a middleware rewrites its headers.
    if (context.req.header('upgrade') !== undefined) return next()
    return cors({
      origin: (origin) => (options.origins?.(context.env).includes(origin) ? origin : null),
      allowHeaders: ['authorization', 'content-type', 'last-event-id', headers.base, headers.device],
      exposeHeaders: [headers.head, headers.inbox],
      maxAge: 600,
    })(context, next)
  })
  app.get('/v1/health', (context) => context.json({ ok: true }))
  app.use('/v1/runs/*', async (context, next) => {
    await authorize(context.req.raw, options.token(context.env))
    await next()
  })
  const objectOf = (env: Env, run: RunId): DurableObjectStub => {
    const namespace = options.runs(env)
    return namespace.get(namespace.idFromName(run))
  }
  app.post('/v1/runs/:run/blobs/share', async (context) => {
    const to = parseRunId(context.req.param('run'))
    const body = await readJson(context.req.raw, hashesBytesMax)
    const from = parseRunId(
      typeof body === 'object' && body !== null && 'from' in body ? body.from : undefined,
    )
    const places = {
      ask: (run: RunId, route: string, init: RequestInit): Promise<Response> =>
        objectOf(context.env, run).fetch(new URL(`/v1/runs/${run}/${route}`, context.req.url), init),
      bucket: options.blobs(context.env),
    }
    return context.json({ hashes: await shareBlobs(places, from, to, hashesOf(body)) })
  })
  app.put('/v1/runs/:run/blobs/:hash', async (context) => {
    const run = parseRunId(context.req.param('run'))
    const hash = parseDigest(context.req.param('hash'))
    const bytes = await readBody(context.req.raw, limits.blobBytesMax)
    if (bytes.byteLength <= rowBlobBytesMax)
      return objectOf(context.env, run).fetch(context.req.url, { method: 'PUT', body: bytes })
    await r2Blobs(options.blobs(context.env)).put(run, hash, bytes)
    return context.body(null, 204)
  })
  app.get('/v1/runs/:run/blobs/:hash', async (context) => {
    const run = parseRunId(context.req.param('run'))
    const hash = parseDigest(context.req.param('hash'))
    const row = await objectOf(context.env, run).fetch(context.req.url)
    if (row.status !== 404) return row
    await row.body?.cancel()
    const object = await options.blobs(context.env).get(blobKey(run, hash))
    if (object === null) throw blobMissing(run, hash)
    return new Response(object.body, { headers: blobHeaders(object.size) })
  })
  app.all('/v1/runs/:run/*', (context) => {
    const run = parseRunId(context.req.param('run'))
    return objectOf(context.env, run).fetch(context.req.raw)
  })
  return app
}

function noRoute(): WaystoneError {
  return new WaystoneError('request_refused', 'there is no such route')
}

/** Lets in who sends the secret, in a header or, for WebSockets, a subprotocol. Throws `unauthorized`. */
async function authorize(request: Request, secret: string | undefined): Promise<void> {
  const sent = bearerOf(request)
  if (secret && sent !== undefined && (await sameSecret(sent, secret))) return
  throw new WaystoneError(
    'unauthorized',
    'this request has no valid token: send it as `authorization: Bearer ...`',
  )
}

function bearerOf(request: Request): string | undefined {
  const header = request.headers.get('authorization')
  if (header?.startsWith('Bearer ')) return header.slice(7)
  const protocols =
    request.headers
      .get('sec-websocket-protocol')
      ?.split(',')
      .map((one) => one.trim()) ?? []
  const token = protocols.find((one) => one.startsWith('token.'))?.slice(6)
  if (token === undefined) return undefined
  try {
    const binary = atob(token.replaceAll('-', '+').replaceAll('_', '/'))
    return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)))
  } catch {
    return undefined
  }
}

/** Compares digests of equal length in constant time, so that timing tells nothing of the secret. */
async function sameSecret(sent: string, secret: string): Promise<boolean> {
  const digest = (text: string): Promise<ArrayBuffer> =>
    crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return crypto.subtle.timingSafeEqual(await digest(sent), await digest(secret))
}
