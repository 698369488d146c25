import { letIn } from '@waystone/edge'
import { authOf } from './auth.ts'
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
  if (!(await isLetIn(request, env))) return json({ error: 'the token is missing or wrong' }, 401)
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

async function isLetIn(request: Request, env: Env): Promise<boolean> {
  try {
    await letIn(authOf(env), request)
    return true
  } catch {
    return false
  }
}
