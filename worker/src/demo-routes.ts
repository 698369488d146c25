import { letIn, type Auth } from '@waystone/edge'
import { authOf } from './auth.ts'
import { ratesOf } from './configured.ts'
import { fetchTextAtEdge } from './fetch-text.ts'
import type { Env } from './env.ts'
import { ledgerClient } from './ledger-client.ts'
import { report } from './watching.ts'
import { writerAtEdge } from './writer.ts'

/**
 * What the demo's page asks the edge beside the runs; the same token as for these.
 * - `GET /about`: who writes drafts at the edge
 * - `GET /ledger?key=K`: how often a publication was asked for, and how often it happened
 * - `GET /read?url=U`: a document that the browser may not read itself, because its server allows no other sites. For who writes
 *   runs: whose page has an agent that reads. It counts as a request of the tenant.
 */
export async function demoRoutes(request: Request, env: Env): Promise<Response> {
  const url = new URL(request.url)
  if (request.method !== 'GET') return json({ error: 'not found' }, 404)
  const grant = await grantOf(request, env)
  if (grant === undefined) return json({ error: 'the token is missing or wrong' }, 401)
  const rated = await ratesOf(env).tenant?.limit({ key: grant.tenant })
  if (rated?.success === false) return json({ error: 'too many requests: wait a minute' }, 429)
  switch (url.pathname) {
    case '/about':
      return json({ writer: writerAtEdge(env).name })
    case '/ledger':
      return attempt(() => ledgerClient(env).count(url.searchParams.get('key') ?? ''))
    case '/read':
      if (!grant.operations.includes('append'))
        return json({ error: 'this token is not for writing runs' }, 403)
      return attempt(() => fetchTextAtEdge(env)(url.searchParams.get('url') ?? '', request.signal))
    default:
      return json({ error: 'not found' }, 404)
  }
}

/** What a document is refused for is told; why something failed is for the log. */
async function attempt(work: () => Promise<object>): Promise<Response> {
  try {
    return json(await work())
  } catch (error) {
    if (error instanceof Error && 'retryable' in error) return json({ error: error.message }, 502)
    report({ where: 'request', error })
    return json({ error: 'this cannot be had now' }, 502)
  }
}

function json(body: object, status = 200): Response {
  return Response.json(body, {
    status,
    headers: { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
  })
}

async function grantOf(request: Request, env: Env): Promise<Awaited<ReturnType<Auth>> | undefined> {
  try {
    return await letIn(authOf(env), request)
  } catch {
    return undefined
  }
}
