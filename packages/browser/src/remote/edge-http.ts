import { bearerOf, fromWire, headers, limits, WaystoneError, type Token } from '@waystone/core'

/** Where the edge is and what lets a device in. */
export interface EdgeOptions {
  /** The address of the deployed worker, such as `https://runs.example.com`. */
  readonly url: string
  /** The bearer token, asked for at every request so that it may change. One that cannot be had now is no network: it is tried again. */
  readonly token?: Token
}

/** One request to the edge. */
export interface EdgeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly body?: Uint8Array | string
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

/** Asks the edge. `answer` has status 2xx, 404 or 409; everything else is thrown as the coded error it carries. */
export type AskEdge = (path: string, request?: EdgeRequest) => Promise<Response>

/** A request that gets no answer in this time, with that for its token, counts as unreachable, in ms. */
const answerMsMax = 10_000

/** Makes requests to the edge with the token; no answer at all is `unreachable`. */
export function edgeHttp({ url, token }: EdgeOptions, device: string): AskEdge {
  return async (path, request = {}) => {
    const signal = AbortSignal.timeout(request.timeoutMs ?? answerMsMax)
    const bearer = await bearerOf(token, signal)
    const init: RequestInit = {
      method: request.method ?? 'GET',
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        [headers.device]: device,
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: request.body as BodyInit }),
      // No `cache: 'no-store'`: with it Chromium asks for leave before every single request (preflight). The edge says so instead.
      signal,
    }
    let response: Response
    try {
      response = await fetch(new URL(path, url), init)
    } catch (cause) {
      throw new WaystoneError('unreachable', `the edge at ${url} did not answer`, {
        cause,
        actions: ['retry'],
      })
    }
    if (response.ok) return response
    throw await errorOf(response, url)
  }
}

/** The bytes of an answer. An answer that breaks off is no answer: `unreachable`. */
export async function bytesOf(response: Response): Promise<Uint8Array> {
  const length = Number(response.headers.get('content-length') ?? 0)
  if (length > limits.blobBytesMax)
    throw new WaystoneError('too_large', `the edge sent ${String(length)} bytes, more than the limit`)
  try {
    return new Uint8Array(await response.arrayBuffer())
  } catch (cause) {
    throw new WaystoneError('unreachable', 'an answer of the edge broke off', { cause, actions: ['retry'] })
  }
}

async function errorOf(response: Response, url: string): Promise<WaystoneError> {
  const body: unknown = await response.json().catch(() => undefined)
  if (typeof body === 'object' && body !== null && 'code' in body) return fromWire(body)
  // Without one of our errors in it the answer came from something in between.
  return new WaystoneError(
    'unreachable',
    `the edge at ${url} answered ${String(response.status)} without a reason`,
    { actions: ['retry'] },
  )
}
