import { fetchTextAtEdge } from './fetch-text.ts'
import type { Env } from './env.ts'
import { ledgerClient } from './ledger-client.ts'
import { writerAtEdge } from './writer.ts'

/**
 * What the demo's page asks the edge beside the runs; the same token as for these.
 * - `GET /about`: who writes drafts at the edge
 * - `GET /ledger?key=K`: how often a publication was asked for, and how often it happened
 * - `GET /read?url=U`: a document that the browser may not read itself, because its server allows no other sites
 */
export async function demoRoutes(request: Request, env: Env): Promise<Response> {
  const url = new URL(request.url)
  if (request.method !== 'GET') return json({ error: 'not found' }, 404)
  if (!(await isAuthorized(request, env.WAYSTONE_TOKEN)))
    return json({ error: 'the token is missing or wrong' }, 401)
  switch (url.pathname) {
    case '/about':
      return json({ writer: writerAtEdge(env).name })
    case '/ledger':
      return attempt(() => ledgerClient(env).count(url.searchParams.get('key') ?? ''))
    case '/read':
      return attempt(() => fetchTextAtEdge(env)(url.searchParams.get('url') ?? '', request.signal))
    default:
      return json({ error: 'not found' }, 404)
  }
}

async function attempt(work: () => Promise<object>): Promise<Response> {
  try {
    return json(await work())
  } catch (error) {
    return json({ error: error instanceof Error ? error.message : String(error) }, 502)
  }
}

function json(body: object, status = 200): Response {
  return Response.json(body, {
    status,
    headers: { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
  })
}

/** Compares digests, so that the time it takes says nothing about the token. */
async function isAuthorized(request: Request, token: string | undefined): Promise<boolean> {
  const given = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  if (token === undefined || token === '' || given === undefined) return false
  const [a, b] = await Promise.all(
    [given, token].map((text) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))),
  )
  return a !== undefined && b !== undefined && crypto.subtle.timingSafeEqual(a, b)
}
