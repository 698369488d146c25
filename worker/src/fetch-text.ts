import { readCapped, type FetchText } from '@waystone/demo/agent'
import type { Env } from './env.ts'
import { isPublicAddress } from './public-address.ts'

const timeoutMs = 15_000
const redirectsMax = 5

/** Reads documents at the edge: those of the demo from its files, others over HTTP from public addresses only. */
export function fetchTextAtEdge(env: Pick<Env, 'ASSETS'>): FetchText {
  return async (address, signal) => {
    if (address.startsWith('/sources/')) {
      return readCapped(await env.ASSETS.fetch(new URL(address, 'https://assets.local'), { signal }))
    }
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    let url = parse(address)
    for (let redirects = 0; ; redirects++) {
      if (!isPublicAddress(url))
        throw refused(`the edge reads public http and https addresses only, not ${url.host}`)
      // Followed by hand, so that no redirect leads where an address may not.
      const response = await fetch(url, {
        redirect: 'manual',
        signal: within,
        headers: { accept: 'text/markdown, text/plain, text/html;q=0.9, */*;q=0.1' },
      })
      const location = response.headers.get('location')
      if (response.status < 300 || response.status > 399 || location === null) return readCapped(response)
      await response.body?.cancel()
      if (redirects === redirectsMax) throw refused(`it redirects more than ${String(redirectsMax)} times`)
      url = parse(location, url)
    }
  }
}

function parse(address: string, base?: URL): URL {
  if (!URL.canParse(address, base)) throw refused('this is no address')
  return new URL(address, base)
}

function refused(message: string): Error {
  return Object.assign(new Error(message), { retryable: false })
}
