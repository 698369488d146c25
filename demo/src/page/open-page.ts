import { openWaystone } from '@waystone/browser'
import { keptValue, parseAddress, readAddress, readPace } from './address.ts'
import { openRun } from './actions.ts'
import { lookAtEdge } from './edge.ts'
import { followNothing } from './follow-run.ts'
import { loadModel } from './model.ts'
import { offerToken } from './offered-token.ts'
import { page, type DefaultSource } from './state.ts'
import { loadTitles } from './titles.ts'
import { settingsName } from './worker-settings.ts'

/** How often an edge that is out of reach is looked for. */
const edgeAgainMs = 5_000

/** Opens what the page shows: the runs of this browser, the edge, the default sources. */
export async function openPage(): Promise<void> {
  const titles = loadTitles()
  const hasRuns = Object.keys(titles).length > 0
  const { token, offered } = readAddress({ token: undefined, hasRuns })
  page.set({
    token,
    titles,
    model: loadModel(),
    online: navigator.onLine,
    edge: token === undefined ? 'none' : 'asking',
  })
  if (offered !== undefined) offerToken(offered)
  addEventListener('hashchange', () => void followAddress())
  addEventListener('popstate', () => void followAddress())
  watchNetwork()
  void loadSources()
  void lookAtEdge()
  if (!import.meta.env.DEV)
    void navigator.serviceWorker?.register('/service-worker.js').catch(() => undefined)
  try {
    const way = await openWaystone({
      worker: startWorker,
      ...(token === undefined
        ? {}
        : { edge: { url: location.origin, token: () => page.get().token ?? token } }),
    })
    const listRuns = async (): Promise<void> =>
      page.set({ runs: [...(await way.runs())].sort((a, b) => b.started - a.started) })
    way.onRuns(() => void listRuns())
    page.set({ way })
    await listRuns()
    const { run } = parseAddress(location.hash)
    if (run !== undefined && page.get().offered === undefined) await followAddress()
  } catch (error) {
    page.set({ failed: error instanceof Error ? error.message : String(error) })
  }
}

function startWorker(): Worker {
  const { model, token } = page.get()
  const wordMs = readPace()
  const name = settingsName({
    ...(model === undefined ? {} : { model }),
    ...(token === undefined ? {} : { token }),
    ...(wordMs === undefined ? {} : { wordMs }),
  })
  return new Worker(new URL('../worker.ts', import.meta.url), { type: 'module', name })
}

/** Somebody went back, or followed a link to another run. A new token means another edge: the page starts over. */
async function followAddress(): Promise<void> {
  const { token: before, titles, runs } = page.get()
  const hasRuns = runs.length > 0 || Object.keys(titles).length > 0
  const { run, seen, token, offered } = readAddress({ token: before, hasRuns })
  if (offered !== undefined) return offerToken(offered)
  // One change of the address may be told twice, and the second time it has no token any more.
  if (page.get().offered !== undefined) return
  if (token !== before) return location.reload()
  if (run !== undefined) await openRun(run, seen)
  else {
    followNothing()
    page.set({ pane: 'ask' })
  }
}

function watchNetwork(): void {
  const look = (): void => {
    page.set({ online: navigator.onLine })
    if (navigator.onLine) void lookAtEdge()
  }
  addEventListener('online', look)
  addEventListener('offline', look)
  setInterval(() => {
    const { edge, online } = page.get()
    if (edge === 'away' && online) void lookAtEdge()
  }, edgeAgainMs)
}

async function loadSources(): Promise<void> {
  try {
    const list: unknown = await (await fetch('/sources/index.json')).json()
    if (Array.isArray(list)) page.set({ sources: list as readonly DefaultSource[] })
  } catch {
    // A person can still add sources of their own.
  }
}

/** Light or dark, as this browser was told before. */
export function keptTheme(): 'light' | 'dark' | undefined {
  const theme = keptValue('waystone theme')
  return theme === 'light' || theme === 'dark' ? theme : undefined
}
