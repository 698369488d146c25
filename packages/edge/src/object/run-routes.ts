import {
  deflatedLines,
  edgeOwner,
  headers,
  headText,
  heldJson,
  inflate,
  isWaystoneError,
  joinLines,
  parseClaim,
  parseHead,
  parseInboxItem,
  parseOwnerId,
  parseSuccessor,
  splitLines,
  WaystoneError,
  type InboxItem,
  type OwnerId,
  type RunId,
} from '@waystone/core'
import type { Operation } from '@waystone/access'
import { Hono, type Context } from 'hono'
import { demand, forbidden, isShared, type Asking } from '../access/asking.ts'
import { eventResponse } from '../events/event-response.ts'
import { asksOf } from '../events/run-status.ts'
import { bodyReader, type BodyReader } from '../http/body.ts'
import { errorResponse } from '../http/errors.ts'
import { routes } from '../http/routes.ts'
import type { Report } from '../report.ts'
import { blobRoutes } from './blob-routes.ts'
import { edgeClock } from './edge-clock.ts'
import type { EdgeRun } from './edge-run.ts'
import { linkRoutes } from './link-routes.ts'
import type { Coming } from './quota.ts'
import type { RunSockets } from './run-sockets.ts'

/** Tells clients what they may send. */
const accepts = { [headers.accepts]: 'deflate' }

/** What the routes of a run work with. */
export interface RunRoutesPorts {
  readonly edgeRun: EdgeRun
  readonly sockets: RunSockets
  /** Called when something is stored. */
  readonly used: () => void
  /** Throws when who asks is not let in any more, or the run was deleted: looked at again after everything awaited. */
  readonly checkAsking: () => void
  /** Keeps room for what comes. Rejects with `limit_exceeded` when the run may not have it. */
  readonly makeRoom: (coming: Coming) => Promise<void>
  readonly report: Report
}

/** The routes of one run, inside its object, for whoever asks. */
export function runRoutes(ports: RunRoutesPorts, asking: Asking): Hono {
  const { edgeRun, sockets, used, checkAsking, makeRoom, report } = ports
  const app = new Hono().basePath('/v1/runs/:run')
  const { keeper, storage, devices } = edgeRun
  const { log, authority } = keeper
  /** The device that asks, if who asks may act as it: a push or a claim makes it theirs. */
  const actingAs = (context: Context): OwnerId => {
    const device = deviceOf(context)
    if (!devices.allow(device, asking)) throw notTheirs(log.run, device)
    return device
  }
  const bind = (device: OwnerId): void => {
    if (devices.bind(device, asking)) sockets.disown(device, asking.subject)
  }
  const body = bodyReader(checkAsking)
  app.onError((error) => errorResponse(error, report))
  app.notFound(() => errorResponse(new WaystoneError('request_refused', 'there is no such route'), report))

  app.post('/entries', async (context) => {
    const base = parseHead(context.req.header(headers.base))
    const lines = splitLines(await pushedBytes(context.req.raw, body))
    const device = actingAs(context)
    await makeRoom({ entries: (base?.seq ?? -1) + 1 + lines.length })
    const before = log.fold?.head.seq ?? -1
    const pushed = await authority.push({ base, lines }, device)
    checkAsking()
    if (!pushed.ok)
      return context.json(
        pushed.code === 'head_moved' ? { ...pushed, head: headText(pushed.head) } : pushed,
        200,
        { ...accepts, [headers.code]: pushed.code },
      )
    used()
    // Whoever sends what is stored already shows nothing by it.
    if ((log.fold?.head.seq ?? -1) > before) bind(device)
    await keeper.pushed()
    const stored = { ...accepts, [headers.entries]: String(lines.length) }
    return context.json({ ok: true, head: headText(pushed.head) }, 200, stored)
  })
  app.get('/entries', async (context) => {
    const from = firstWanted(context)
    const device = deviceOf(context)
    const { head, lines, inbox } = await authority.pull(
      from,
      devices.allow(device, asking) ? device : undefined,
    )
    const body = joinLines(lines)
    return new Response(body, {
      headers: {
        'content-type': 'application/x-ndjson',
        'content-length': String(body.byteLength),
        'cache-control': 'no-store',
        ...accepts,
        [headers.head]: headText(head),
        [headers.entries]: String(lines.length),
        ...(inbox.length > 0 ? { [headers.inbox]: String(inbox.length) } : {}),
      },
    })
  })
  app.post('/claim', async (context) => {
    const device = actingAs(context)
    const claim = parseClaim(await body.json(context.req.raw, routes.claim.body.bytesMax))
    if (claim.tail) {
      demand(asking, log.run, 'append')
      await makeRoom({ entries: (claim.tail.base?.seq ?? -1) + 1 + claim.tail.lines.length })
      if (log.fold) used()
    } else if (log.fold) await makeRoom({ claim: true })
    const lines = await keeper.claim(claim, device)
    bind(device)
    return new Response(joinLines(lines), { headers: { 'content-type': 'application/x-ndjson' } })
  })
  app.post('/hold', async (context) => {
    const asked = (await body.json(context.req.raw, routes.hold.body.bytesMax)) as Record<
      string,
      unknown
    > | null
    const ms = Number(asked?.['ms'] ?? 0)
    // What the log has is for those who may read it.
    const from = asking.operations.includes('read') ? Number(asked?.['from'] ?? -1) : -1
    const successor = asked?.['successor'] === undefined ? undefined : parseSuccessor(asked['successor'])
    // A run is given to nobody but who asks, or to the edge.
    const device = successor?.owner === edgeOwner ? undefined : successor?.owner
    if (device !== undefined && actingAs(context) !== device) throw notTheirs(log.run, device)
    if (successor && log.fold) await makeRoom({ claim: true })
    const held = await keeper.hold(
      Number.isFinite(ms) ? Math.max(0, ms) : 0,
      Number.isSafeInteger(from) && from >= 0 ? from : undefined,
      successor,
    )
    checkAsking()
    if (device !== undefined && log.fold?.owner === device) bind(device)
    return context.json(heldJson(held))
  })
  for (const path of ['/claim', '/blockers'])
    app.get(path, async (context) => context.json({ blockers: await authority.blockers() }))
  app.post('/inbox', async (context) => {
    const item = parseInboxItem(await body.json(context.req.raw, routes.send.body.bytesMax))
    demand(asking, log.run, operationOf(item))
    // To decide about an effect is not to answer a question.
    if (asking.link !== undefined && item.type !== 'answer') throw forbidden(log.run, ['send'])
    await keeper.send({ ...item, time: edgeClock.now(), by: asking.subject ?? item.by })
    return context.body(null, 204)
  })
  app.get('/inbox', async (context) => {
    const { inbox } = await authority.pull((log.fold?.head.seq ?? -1) + 1, actingAs(context))
    return context.json({ items: inbox })
  })
  app.get('/live', async (context) => {
    if (context.req.header('upgrade')?.toLowerCase() !== 'websocket')
      throw new WaystoneError('request_refused', 'this route is a WebSocket')
    const device = parseOwnerId(context.req.query('device'))
    const mayWrite = devices.allow(device, asking)
    const greeting = await keeper.greeting(fromOf(context))
    checkAsking()
    return sockets.accept({ device, mayWrite, isShared: isShared(context.req.raw), asking }, greeting)
  })
  app.get('/asks', (context) => {
    const fold = log.mustFold()
    return context.json({ asks: asksOf(fold), ...(fold.inbox ? { inbox: fold.inbox } : {}) })
  })
  app.route(
    '/links',
    linkRoutes({ log, links: edgeRun.links, sockets, changes: edgeRun.changes, body }, asking),
  )
  app.route(
    '/blobs',
    blobRoutes({
      run: log.run,
      blobs: storage.blobs,
      rows: storage.rowBlobs,
      large: storage.largeBlobs,
      body,
      used: () => {
        edgeRun.sweep.came()
        used()
      },
      makeRoom,
    }),
  )
  app.get('/events', (context) =>
    eventResponse(context, { ...edgeRun, checkAsking, until: asking.until }, fromOf(context), report),
  )
  return app
}

/** The first entry that is asked for, one way or the other. */
function firstWanted(context: Context): number | undefined {
  const after = context.req.header(headers.after)
  if (after !== undefined) return wholeNumber(headers.after, after) + 1
  return context.req.query('from') === undefined ? undefined : fromOf(context)
}

function fromOf(context: Context): number {
  return wholeNumber('from', context.req.query('from') ?? '0')
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw new WaystoneError(
    'request_refused',
    `expected \`${name}\` as a sequence number, found ${text.slice(0, 80)}`,
  )
}

function deviceOf(context: Context): OwnerId {
  return parseOwnerId(context.req.header(headers.device))
}

/** The lines of a push, which may be deflated: no more is inflated than a push may have. */
async function pushedBytes(request: Request, body: BodyReader): Promise<Uint8Array> {
  const { bytesMax } = routes.pushEntries.body
  const bytes = await body.bytes(request, bytesMax)
  if (request.headers.get('content-type') !== deflatedLines) return bytes
  try {
    return await inflate(bytes, bytesMax)
  } catch (cause) {
    if (isWaystoneError(cause, 'too_large')) throw cause
    throw new WaystoneError('request_refused', 'the body of this request is not deflated, as it says', {
      cause,
    })
  }
}

/** What one needs to be allowed to send an item. */
function operationOf({ type }: InboxItem): Operation {
  switch (type) {
    case 'answer':
    case 'decide':
      return 'answer'
    case 'message':
    case 'interrupt':
      return 'send'
    case 'cancel':
    case 'rewind':
    case 'retry':
      return 'append'
  }
}

function notTheirs(run: RunId, device: OwnerId): WaystoneError {
  return new WaystoneError('forbidden', `run ${run}: this token is not for whoever owns device ${device}`, {
    run,
  })
}
