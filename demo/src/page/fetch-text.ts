import { readCapped } from '../agent/read-capped.ts'
import type { FetchText } from '../agent/types.ts'

/**
 * Reads documents in a browser. Most servers let no other site's page read them: then the edge reads for us, when there is
 * one.
 */
export function fetchTextInBrowser(token: string | undefined): FetchText {
  return async (url, signal) => {
    const here = new URL(url, location.origin)
    try {
      return await readCapped(await fetch(here, { signal, credentials: 'omit' }))
    } catch (error) {
      // A server that forbids it and a lost network look the same: both are a TypeError.
      if (!(error instanceof TypeError) || signal.aborted) throw error
      if (here.origin === location.origin)
        throw new Error('it could not be reached: the network is away', { cause: error })
      if (token === undefined)
        throw new Error('the browser may not read this site, or the network is away', { cause: error })
      return readByEdge(here.href, token, signal)
    }
  }
}

async function readByEdge(
  url: string,
  token: string,
  signal: AbortSignal,
): Promise<{ text: string; type: string }> {
  const response = await fetch(`/read?url=${encodeURIComponent(url)}`, {
    signal,
    headers: { authorization: `Bearer ${token}` },
  }).catch((cause: unknown) => {
    throw new Error('it could not be reached: the network is away', { cause })
  })
  const body: unknown = await response.json()
  if (typeof body === 'object' && body !== null) {
    if ('text' in body && 'type' in body) return { text: String(body.text), type: String(body.type) }
    if ('error' in body) throw Object.assign(new Error(String(body.error)), { retryable: false })
  }
  throw new Error(`the edge answered ${String(response.status)}`)
}
