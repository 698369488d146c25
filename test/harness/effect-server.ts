import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** What one effect did, once for each idempotency key. */
export interface Effect {
  readonly key: string
  readonly path: string
  readonly body: string
}

/** Requests for a path that wait until the test decides. */
export interface Hold {
  /** Resolves when a request for the path is waiting. Its effect has happened already: only the answer is held back. */
  readonly arrived: Promise<void>
  /** Lets the answers go; later requests are not held. */
  release(): void
  /** Cuts the connections without an answer; later requests are not held. */
  drop(): void
}

/** An outside service, as an agent's effects see one. */
export interface EffectServer {
  readonly url: string
  /** How often an effect happened: for one key, or for all. */
  count(key?: string): number
  /** How often an effect was asked for, repeats included: for one key, or for all. */
  starts(key?: string): number
  effects(): readonly Effect[]
  /** Holds back the answers to POST requests for a path, such as `/effect/publish`. */
  hold(path: string): Hold
  close(): Promise<void>
}

const bodyBytesMax = 4 * 1024 * 1024

export interface EffectServerOptions {
  /** What an effect gives, told as `answer` beside the receipt; asked once a key. */
  readonly answer?: (effect: Effect) => unknown
  /** Hears every arrival, repeats included, before it is answered. */
  readonly arrived?: (effect: Effect) => void
  /** How long the outside takes for an answer, in ms. Default 0. */
  readonly answerMs?: () => number
}

/**
 * Starts an http server on 127.0.0.1 that counts effects:
 * - `POST /effect/NAME` with the header `idempotency-key` counts a start on every arrival and an effect once a key;
 * - `GET /effect/NAME?key=K` tells whether it happened, and with which result;
 * - `GET /count` tells all counts.
 */
export async function startEffectServer(options: EffectServerOptions = {}): Promise<EffectServer> {
  const starts = new Map<string, number>()
  const effects = new Map<string, Effect & { readonly result: object }>()
  const holds = new Map<string, HeldPath>()

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => sendJson(response, 500, { error: String(error) }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no address')

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    allowEveryOrigin(request, response)
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (request.method === 'OPTIONS') return void response.writeHead(204).end()
    if (request.method === 'GET' && url.pathname === '/count') return sendJson(response, 200, counts())
    if (!url.pathname.startsWith('/effect/')) return sendJson(response, 404, { error: 'not found' })
    if (request.method === 'GET') return sendJson(response, 200, statusOf(url.searchParams.get('key') ?? ''))
    if (request.method !== 'POST') return sendJson(response, 405, { error: 'method' })
    const key = request.headers['idempotency-key']
    const body = await readBody(request)
    if (typeof key !== 'string' || key === '')
      return sendJson(response, 400, { error: 'idempotency-key is missing' })
    const result = record(key, url.pathname, body)
    options.arrived?.({ key, path: url.pathname, body })
    const ms = options.answerMs?.() ?? 0
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    const held = holds.get(url.pathname)
    if (held === undefined) sendJson(response, 200, result)
    else
      held.wait(
        () => sendJson(response, 200, result),
        () => request.socket.destroy(),
      )
  }

  function record(key: string, path: string, body: string): object {
    starts.set(key, (starts.get(key) ?? 0) + 1)
    const known = effects.get(key)
    if (known !== undefined) return known.result
    const answer = options.answer?.({ key, path, body })
    const result = { ok: true, key, number: effects.size + 1, ...(answer === undefined ? {} : { answer }) }
    effects.set(key, { key, path, body, result })
    return result
  }

  function statusOf(key: string): object {
    const known = effects.get(key)
    return known === undefined ? { done: false } : { done: true, result: known.result }
  }

  const total = () => [...starts.values()].reduce((sum, count) => sum + count, 0)
  const counts = () => ({ effects: effects.size, starts: total(), byKey: Object.fromEntries(starts) })

  return {
    url: `http://127.0.0.1:${address.port}`,
    count: (key) => (key === undefined ? effects.size : effects.has(key) ? 1 : 0),
    starts: (key) => (key === undefined ? total() : (starts.get(key) ?? 0)),
    effects: () => [...effects.values()].map(({ key, path, body }) => ({ key, path, body })),
    hold(path) {
      const held = new HeldPath()
      holds.set(path, held)
      const end = () => {
        if (holds.get(path) === held) holds.delete(path)
      }
      return {
        arrived: held.arrived,
        release() {
          end()
          held.release()
        },
        drop() {
          end()
          held.drop()
        },
      }
    },
    close: () =>
      new Promise((resolve) => {
        for (const held of holds.values()) held.drop()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

class HeldPath {
  readonly arrived: Promise<void>
  readonly #waiting: { answer: () => void; cut: () => void }[] = []
  #resolveArrived: () => void = () => undefined

  constructor() {
    this.arrived = new Promise((resolve) => (this.#resolveArrived = resolve))
  }

  wait(answer: () => void, cut: () => void): void {
    this.#waiting.push({ answer, cut })
    this.#resolveArrived()
  }

  release(): void {
    for (const { answer } of this.#waiting.splice(0)) answer()
  }

  drop(): void {
    for (const { cut } of this.#waiting.splice(0)) cut()
  }
}

/** Pages of any origin may call the server, with any header. */
function allowEveryOrigin(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', request.headers.origin ?? '*')
  response.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS')
  response.setHeader('access-control-allow-headers', request.headers['access-control-request-headers'] ?? '*')
  // Isolated pages load only what says that it may be loaded.
  response.setHeader('cross-origin-resource-policy', 'cross-origin')
  response.setHeader('cache-control', 'no-store')
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > bodyBytesMax) throw new Error(`the body is over ${bodyBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
