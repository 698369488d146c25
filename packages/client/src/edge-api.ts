import { fromWire, headers, unlessAborted, WaystoneError, type Token } from '@waystone/core'
import createClient, { defaultPathSerializer } from 'openapi-fetch'
import type { Call, Method } from './call.ts'

/** Where the edge is, and who asks. */
export interface EdgeApiOptions {
  /** The address of the deployed worker, such as `https://runs.example.com`. */
  readonly url: string
  /** The bearer token, or a function that is asked for it at every request, since tokens are short-lived. */
  readonly token: string | Token
  /** The device that asks, for the routes that need one: then no call has to name it. */
  readonly device?: string
  /** How long an answer may take to begin, with the time for the token, in ms; default 30 s. What has begun may go on, as events do. */
  readonly timeoutMs?: number
}

/** The routes of the edge as calls by method and path. `Sent` are the headers that calls need not name. */
export interface EdgeApi<Sent extends string = never> {
  readonly get: Call<'get', Sent>
  readonly post: Call<'post', Sent>
  readonly put: Call<'put', Sent>
  readonly delete: Call<'delete', Sent>
}

const timeoutMsDefault = 30_000

/**
 * The HTTP interface of the edge, typed by its own description. A call gives what the route gives, or rejects with the
 * coded error of the edge; `unreachable` when there was no answer, or one that is not from the edge. Nothing is tried again.
 *
 * ```ts
 * const edge = edgeApi({ url: 'https://runs.example.com', token })
 * const params = { path: { run: 'ana.trip' } }
 * const { asks } = await edge.get('/v1/runs/{run}/asks', { params })
 * const { id, token: link } = await edge.post('/v1/runs/{run}/links', { params, body: { use: 'answer' } })
 * ```
 *
 * Throws `input_refused` for an address that is none.
 */
export function edgeApi(options: EdgeApiOptions & { readonly device: string }): EdgeApi<'waystone-device'>
export function edgeApi(options: EdgeApiOptions): EdgeApi
export function edgeApi(options: EdgeApiOptions): EdgeApi {
  const { url } = options
  if (!URL.canParse(url))
    throw new WaystoneError('input_refused', `expected the address of the edge in \`url\`, found "${url}"`)
  const client = createClient<Record<string, Record<Method, AnyOperation>>>({
    baseUrl: url,
    fetch: (request) => answerTo(request, options),
    bodySerializer: (body: unknown) => (isRaw(body) ? body : JSON.stringify(body)),
    pathSerializer,
  })
  const call =
    (method: Method) =>
    async (path: string, given: { readonly body?: unknown; readonly signal?: AbortSignal } = {}) => {
      const type = isRaw(given.body) ? { headers: { 'content-type': typeOf(given.body) } } : {}
      const { response } = await client.request(method, path, { ...given, ...type, parseAs: 'stream' })
      return contentOf(response, url, given.signal)
    }
  // The types are those of the description that the routes are served from; nothing here knows one of them by name.
  return {
    get: call('get'),
    post: call('post'),
    put: call('put'),
    delete: call('delete'),
  } as EdgeApi
}

/** An operation that takes any body; `Call` says which one takes what. */
interface AnyOperation {
  readonly requestBody?: { readonly content: { readonly 'application/json': unknown } }
}

/** Asks with the token, and throws what the edge refuses. */
async function answerTo(request: Request, options: EdgeApiOptions): Promise<Response> {
  const { url, token, device, timeoutMs = timeoutMsDefault } = options
  const late = new AbortController()
  const noAnswer = unreachable(`the edge at ${url} did not answer in ${String(timeoutMs)} ms`)
  const timer = setTimeout(() => late.abort(noAnswer), timeoutMs)
  const signal = AbortSignal.any([request.signal, late.signal])
  let response: Response
  try {
    const bearer = typeof token === 'string' ? token : await unlessAborted(Promise.resolve(token()), signal)
    request.headers.set('authorization', `Bearer ${bearer}`)
    if (device !== undefined && !request.headers.has(headers.device))
      request.headers.set(headers.device, device)
    response = await fetch(request, { signal }).catch((cause: unknown) => {
      signal.throwIfAborted()
      throw unreachable(`the edge at ${url} did not answer`, cause)
    })
  } finally {
    clearTimeout(timer)
  }
  if (response.ok) return response
  throw await refusalOf(response, url)
}

/** What an answer holds, by its media type. */
async function contentOf(response: Response, url: string, signal?: AbortSignal): Promise<unknown> {
  if (response.status === 202 || response.status === 204) return undefined
  const media = response.headers.get('content-type')?.split(';')[0]
  try {
    switch (media) {
      case 'application/json':
        return await response.json()
      case 'application/x-ndjson':
      case 'text/plain':
        return await response.text()
      case 'application/octet-stream':
        return new Uint8Array(await response.arrayBuffer())
      case 'text/event-stream':
      case 'application/vnd.waystone.export':
        return response.body
    }
  } catch (cause) {
    signal?.throwIfAborted()
    throw unreachable(`an answer of the edge at ${url} broke off`, cause)
  }
  // Such as the page of a network that wants a sign-in first.
  throw unreachable(`what answered at ${url} is not the edge: it sent ${media ?? 'nothing that has a type'}`)
}

async function refusalOf(response: Response, url: string): Promise<WaystoneError> {
  const body: unknown = await response.json().catch(() => undefined)
  if (isRefusal(body)) return fromWire(body)
  // Without one of our errors in it the answer came from something in between.
  return unreachable(`the edge at ${url} answered ${String(response.status)} without a reason`)
}

/** Others have numbers for codes. */
function isRefusal(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    'message' in body &&
    'code' in body &&
    typeof body.code === 'string'
  )
}

function unreachable(message: string, cause?: unknown): WaystoneError {
  return new WaystoneError('unreachable', message, { cause, actions: ['retry'] })
}

/** Bodies that are sent as they are: lines and bytes. Those of JSON are objects. */
function isRaw(body: unknown): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array
}

function typeOf(body: string | Uint8Array): string {
  return typeof body === 'string' ? 'application/x-ndjson' : 'application/octet-stream'
}

/** Fills in a path. `.` and `..` would make it that of another route. */
function pathSerializer(path: string, params: Record<string, unknown>): string {
  for (const [name, value] of Object.entries(params))
    if (value === '.' || value === '..')
      throw new WaystoneError('input_refused', `expected \`${name}\` of ${path}, found "${value}"`)
  return defaultPathSerializer(path, params)
}
