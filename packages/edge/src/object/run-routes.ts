import {
  headers,
  headText,
  joinLines,
  limits,
  parseClaim,
  parseHead,
  parseInboxItem,
  parseOwnerId,
  splitLines,
  WaystoneError,
  type OwnerId,
  type RunId,
} from '@waystone/core'
import { Hono, type Context } from 'hono'
import { eventResponse } from '../events/event-response.ts'
import { readBody, readJson } from '../http/body.ts'
import { errorResponse } from '../http/errors.ts'
import type { Report } from '../report.ts'
import { blobRoutes } from './blob-routes.ts'
import type { EdgeRun } from './edge-run.ts'
import type { RunSockets } from './run-sockets.ts'

/** A push may have a page of lines and one more, whatever their size. */
const pushBytesMax = limits.pageBytesMax + limits.entryBytesMax + 1_000

/** The routes of one run, inside its object. `used` is called when something is stored for the first time. */
export function runRoutes(
  edgeRun: EdgeRun,
  sockets: RunSockets,
  used: (run: RunId) => void,
  report: Report,
): Hono {
  const app = new Hono().basePath('/v1/runs/:run')
  const { keeper, storage } = edgeRun
  const { log, authority } = keeper
  app.onError((error) => errorResponse(error, report))
  app.notFound(() => errorResponse(new WaystoneError('request_refused', 'there is no such route'), report))

  app.post('/entries', async (context) => {
    const base = parseHead(context.req.header(headers.base))
    const lines = splitLines(await readBody(context.req.raw, pushBytesMax))
    const pushed = await authority.push({ base, lines })
    if (!pushed.ok)
      return context.json(pushed.code === 'head_moved' ? { ...pushed, head: headText(pushed.head) } : pushed)
    used(log.run)
    await keeper.pushed()
    return context.json({ ok: true, head: headText(pushed.head) })
  })
  app.get('/entries', async (context) => {
    const from = context.req.query('from') === undefined ? undefined : fromOf(context)
    const { head, lines, inbox } = await authority.pull(from, deviceOf(context))
    return new Response(joinLines(lines), {
      headers: {
        'content-type': 'application/x-ndjson',
        'cache-control': 'no-store',
        [headers.head]: headText(head),
        ...(inbox.length > 0 ? { [headers.inbox]: String(inbox.length) } : {}),
      },
    })
  })
  app.post('/claim', async (context) => {
    const lines = await keeper.claim(parseClaim(await readJson(context.req.raw, 10_000)))
    return new Response(joinLines(lines), { headers: { 'content-type': 'application/x-ndjson' } })
  })
  app.post('/hold', async (context) => {
    const body = await readJson(context.req.raw, 1_000)
    const ms = typeof body === 'object' && body !== null && 'ms' in body ? Number(body.ms) : 0
    return context.json({ head: headText(await keeper.hold(Number.isFinite(ms) ? Math.max(0, ms) : 0)) })
  })
  app.get('/blockers', async (context) => context.json({ blockers: await authority.blockers() }))
  app.post('/inbox', async (context) => {
    await keeper.send(parseInboxItem(await readJson(context.req.raw, limits.inboxItemBytesMax + 1_000)))
    return context.body(null, 204)
  })
  app.get('/inbox', async (context) => {
    const { inbox } = await authority.pull((log.fold?.head.seq ?? -1) + 1, deviceOf(context))
    return context.json({ items: inbox })
  })
  app.get('/live', async (context) => {
    if (context.req.header('upgrade')?.toLowerCase() !== 'websocket')
      throw new WaystoneError('request_refused', 'this route is a WebSocket')
    return sockets.accept(parseOwnerId(context.req.query('device')), await keeper.greeting(fromOf(context)))
  })
  app.route('/blobs', blobRoutes({ run: log.run, blobs: storage.blobs, rows: storage.rowBlobs, used }))
  app.get('/events', (context) => eventResponse(context, edgeRun, fromOf(context), report))
  return app
}

function fromOf(context: Context): number {
  const from = Number(context.req.query('from') ?? 0)
  if (Number.isSafeInteger(from) && from >= 0) return from
  throw new WaystoneError(
    'request_refused',
    `expected \`from\` as a sequence number, found ${String(context.req.query('from'))}`,
  )
}

function deviceOf(context: Context): OwnerId {
  return parseOwnerId(context.req.header(headers.device))
}
