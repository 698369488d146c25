import type { Operation } from '@waystone/access'
import { digestBytes, newId, utf8, WaystoneError, type RunLog } from '@waystone/core'
import { Hono } from 'hono'
import { demand, type Asking } from '../access/asking.ts'
import { linkToken } from '../access/link.ts'
import { readJson, type BodyReader } from '../http/body.ts'
import { routes } from '../http/routes.ts'
import type { LinkInfo, LinkUse, SqlLinks } from '../store/sql-links.ts'
import { edgeClock } from './edge-clock.ts'
import type { RunChanges } from './run-changes.ts'
import type { RunSockets } from './run-sockets.ts'

/** What the routes of links work with. */
export interface LinkRoutesPorts {
  readonly log: RunLog
  readonly links: SqlLinks
  readonly sockets: RunSockets
  readonly changes: RunChanges
  readonly body: BodyReader
}

/** How long a link is valid at most, in ms. */
const linkMsMax = 30 * 24 * 60 * 60_000
const linkMsMin = 1_000

/** What a link allows. */
const operationsOf: Readonly<Record<LinkUse, readonly Operation[]>> = { read: ['read'], answer: ['answer'] }

/** Links to one run, for people without an account: each can be taken back, and is known by its secret only. */
export function linkRoutes({ log, links, sockets, changes, body }: LinkRoutesPorts, asking: Asking): Hono {
  const app = new Hono()
  const { run } = log
  app.get('/', (context) => context.json({ links: links.list(edgeClock.now()) }))
  app.post('/', async (context) => {
    const { use, ms } = wantedOf(await body.json(context.req.raw, routes.makeLink.body.bytesMax))
    log.mustFold()
    demand(asking, run, ...operationsOf[use])
    const time = edgeClock.now()
    const link: LinkInfo = {
      id: newId(random),
      use,
      ...(asking.subject === undefined ? {} : { by: asking.subject }),
      time,
      until: time + ms,
    }
    const secret = newId(random) + newId(random)
    links.add(link, digestOf(secret))
    return context.json({ ...link, token: linkToken({ tenant: asking.tenant, run, secret }) })
  })
  app.delete('/:link', (context) => {
    const id = context.req.param('link')
    if (!links.remove(id)) throw new WaystoneError('request_refused', `run ${run} has no such link`, { run })
    sockets.cut(id)
    // Who reads events is looked at again.
    changes.now()
    return context.body(null, 204)
  })
  return app
}

/** What somebody with this secret may do, if it is that of a link. */
export async function openLink(
  request: Request,
  links: SqlLinks,
  { tenant }: Asking,
): Promise<Asking | undefined> {
  const body = await readJson(request, 1_000)
  const secret = typeof body === 'object' && body !== null && 'secret' in body ? body.secret : undefined
  const link = typeof secret === 'string' ? links.find(digestOf(secret), edgeClock.now()) : undefined
  if (link === undefined) return undefined
  return {
    tenant,
    subject: `link ${link.id}`,
    operations: operationsOf[link.use],
    link: link.id,
    ...(link.until === undefined ? {} : { until: link.until }),
  }
}

function wantedOf(body: unknown): { readonly use: LinkUse; readonly ms: number } {
  const { use, ms = linkMsMax }: { use?: unknown; ms?: unknown } =
    typeof body === 'object' && body !== null ? body : {}
  if (use !== 'read' && use !== 'answer') throw refused('`use` as "read" or "answer"')
  if (typeof ms !== 'number' || !(ms >= linkMsMin && ms <= linkMsMax))
    throw refused(`\`ms\` as ${String(linkMsMin)} to ${String(linkMsMax)}`)
  return { use, ms: Math.round(ms) }
}

function refused(expected: string): WaystoneError {
  return new WaystoneError('request_refused', `expected ${expected}`)
}

function digestOf(secret: string): string {
  return digestBytes(utf8(secret))
}

function random(bytes: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(bytes))
}
