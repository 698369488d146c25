// Keeps the page and the default sources for the time without a network. Runs need nothing of it: their logs are in IndexedDB.

interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void
}
interface Fetching extends Extendable {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}
/** The part of the service worker's globals that is used here; the types of a page do not have them. */
interface ServiceWorkerScope {
  skipWaiting(): Promise<void>
  readonly clients: { claim(): Promise<void> }
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void
}

const scope = self as unknown as ServiceWorkerScope
/** The build puts the list of files here. */
const files = 'PRECACHE'
const cacheName = `waystone-${String(hash(files))}`

scope.addEventListener('install', (event) => {
  event.waitUntil(fill().then(() => scope.skipWaiting()))
})

scope.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => scope.clients.claim()))
})

scope.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== location.origin) return
  if (request.mode === 'navigate') event.respondWith(networkFirst(request, '/'))
  else if (url.pathname.startsWith('/sources/')) event.respondWith(networkFirst(request, url.pathname))
  else if (url.pathname.startsWith('/assets/')) event.respondWith(cacheFirst(request))
})

async function fill(): Promise<void> {
  const cache = await caches.open(cacheName)
  await cache.addAll(
    (JSON.parse(files) as readonly string[]).map((file) => new Request(file, { cache: 'no-cache' })),
  )
}

async function forgetOthers(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith('waystone-') && name !== cacheName) await caches.delete(name)
  }
}

async function networkFirst(request: Request, key: string): Promise<Response> {
  try {
    return await fetch(request)
  } catch (error) {
    const kept = await caches.match(key)
    if (kept === undefined) throw error
    return kept
  }
}

async function cacheFirst(request: Request): Promise<Response> {
  const kept = await caches.match(request)
  if (kept !== undefined) return kept
  const response = await fetch(request)
  if (response.ok) await (await caches.open(cacheName)).put(request, response.clone())
  return response
}

/** Tells lists of files apart: no more than that. */
function hash(text: string): number {
  let sum = 0
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0
  return sum
}
