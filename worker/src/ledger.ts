import { DurableObject } from 'cloudflare:workers'
import type { Env } from './env.ts'

const bodyBytesMax = 16_000
const titleCharsMax = 200
const recentMax = 100

/**
 * Stands for the outside world that briefs are published to: counts every request that arrives, and does an effect once
 * for each idempotency key.
 * - `POST /effect/publish` with the header `idempotency-key`
 * - `GET /effect/publish?key=K` tells whether that effect happened, and with which result
 * - `GET /count` tells the counts, `GET /recent` the newest publications
 */
export class Ledger extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    ctx.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS effects (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, title TEXT NOT NULL, time INTEGER NOT NULL, starts INTEGER NOT NULL)',
    )
  }

  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (request.method === 'GET') {
      if (url.pathname === '/effect/publish')
        return Response.json(this.#status(url.searchParams.get('key') ?? ''))
      if (url.pathname === '/count') return Response.json(this.#counts())
      if (url.pathname === '/recent') return Response.json(this.#recent())
    }
    if (request.method !== 'POST' || url.pathname !== '/effect/publish') return refuse(404, 'not found')
    const key = request.headers.get('idempotency-key') ?? ''
    if (key === '' || key.length > titleCharsMax) return refuse(400, 'idempotency-key is missing or too long')
    if (Number(request.headers.get('content-length') ?? 0) > bodyBytesMax)
      return refuse(413, 'the body is too large')
    const title = titleIn(await request.json().catch(() => undefined))
    return Response.json(this.#record(key, title))
  }

  #record(key: string, title: string): object {
    const { sql } = this.ctx.storage
    sql.exec(
      'INSERT INTO effects (key, title, time, starts) VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET starts = starts + 1',
      key,
      title,
      Date.now(),
    )
    return this.#resultOf(key) ?? {}
  }

  #resultOf(key: string): object | undefined {
    const [row] = this.ctx.storage.sql.exec<{ number: number }>(
      'SELECT number FROM effects WHERE key = ?',
      key,
    )
    return row === undefined ? undefined : { ok: true, key, number: row.number }
  }

  #status(key: string): object {
    const result = this.#resultOf(key)
    return result === undefined ? { done: false } : { done: true, result }
  }

  #counts(): object {
    const rows = [
      ...this.ctx.storage.sql.exec<{ key: string; starts: number }>('SELECT key, starts FROM effects'),
    ]
    const starts = rows.reduce((sum, row) => sum + row.starts, 0)
    return {
      effects: rows.length,
      starts,
      byKey: Object.fromEntries(rows.map((row) => [row.key, row.starts])),
    }
  }

  #recent(): object {
    const select = 'SELECT number, key, title, time, starts FROM effects ORDER BY number DESC LIMIT ?'
    return [...this.ctx.storage.sql.exec(select, recentMax)]
  }
}

function titleIn(body: unknown): string {
  const title = typeof body === 'object' && body !== null && 'title' in body ? body.title : undefined
  return typeof title === 'string' ? title.slice(0, titleCharsMax) : ''
}

function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status })
}
