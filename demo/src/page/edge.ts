import { page, type LedgerCount } from './state.ts'

/** Asks the edge of the demo beside the runs: who writes there, and what the ledger counted. */
async function ask(path: string): Promise<Response> {
  const { token } = page.get()
  return fetch(path, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
}

/** Finds out whether the edge lets this browser in, and who writes drafts there. */
export async function lookAtEdge(): Promise<void> {
  if (page.get().token === undefined) return page.set({ edge: 'none' })
  try {
    const response = await ask('/about')
    if (response.status === 401) return page.set({ edge: 'refused' })
    if (!response.ok) return page.set({ edge: 'away' })
    const about: unknown = await response.json()
    const writer =
      typeof about === 'object' && about !== null && 'writer' in about ? String(about.writer) : undefined
    page.set({ edge: 'ready', edgeWriter: writer })
  } catch {
    page.set({ edge: 'away' })
  }
}

/** The ledger's counts for a publication, or undefined when it cannot be asked now. */
export async function askLedger(key: string): Promise<LedgerCount | undefined> {
  try {
    const response = await ask(`/ledger?key=${encodeURIComponent(key)}`)
    const count: unknown = response.ok ? await response.json() : undefined
    if (typeof count !== 'object' || count === null || !('starts' in count) || !('effects' in count))
      return undefined
    return { starts: Number(count.starts), effects: Number(count.effects) }
  } catch {
    return undefined
  }
}
