import { headText, type Head } from '@waystone/core'

const tokenKey = 'waystone token'

/** What the part of the address after `#` says: `#run=ID&seen=...&token=...`. */
export interface Address {
  readonly run: string | undefined
  /** What the device that made the link has seen of the run at the edge. */
  readonly seen: string | undefined
  readonly token: string | undefined
}

/** Reads what stands after `#`. The inverse of `linkToRun`. */
export function parseAddress(hash: string): Address {
  const parts = new URLSearchParams(hash.replace(/^#/, ''))
  const [run, seen, token] = ['run', 'seen', 'token'].map((name) => parts.get(name) ?? undefined)
  return { run, seen, token }
}

/** What this browser would put in danger by taking a token that somebody else may have put into a link. */
export interface Here {
  /** The token in use. */
  readonly token: string | undefined
  /** Runs are here: with another token they would be sent to where that one belongs. */
  readonly hasRuns: boolean
}

/** Whether a token from an address is taken unasked: by a browser that has nothing yet, or has this one. */
export function isTakenUnasked(token: string, here: Here): boolean {
  return token === here.token || (here.token === undefined && !here.hasRuns)
}

/** Reads the address bar, which a token leaves at once. It is kept in this browser, or `offered` when a person has to be asked. */
export function readAddress(here: Here): Address & { readonly offered: string | undefined } {
  const { run, seen, token } = parseAddress(location.hash)
  const kept = keptValue(tokenKey) ?? here.token
  if (token === undefined) return { run, seen, token: kept, offered: undefined }
  const parts = new URLSearchParams(location.hash.slice(1))
  parts.delete('token')
  history.replaceState(null, '', parts.size === 0 ? plainAddress() : `#${parts.toString()}`)
  if (!isTakenUnasked(token, { ...here, token: kept })) return { run, seen, token: kept, offered: token }
  keepToken(token)
  return { run, seen, token, offered: undefined }
}

/** Has this browser use a token from now on. */
export function keepToken(token: string): void {
  keep(tokenKey, token)
}

/** What `?pace=MS` says: how long a word of a quotation takes, for who shows the demo to others. */
export function readPace(): number | undefined {
  const pace = Number(new URLSearchParams(location.search).get('pace') ?? undefined)
  return pace >= 0 && pace <= 10_000 ? pace : undefined
}

/** Puts the chosen run into the address, so that a reload shows it again. */
export function showRunInAddress(run: string | undefined): void {
  const hash = run === undefined ? '' : `#run=${run}`
  if (hash !== location.hash) history.pushState(null, '', hash === '' ? plainAddress() : hash)
}

/** The address bar without what stands after `#`. */
function plainAddress(): string {
  return location.pathname + location.search
}

/** The link that opens a run of this site on another device. Who has it may read and steer the runs. */
export function linkToRun(site: string, run: string, seen: Head | undefined, token: string): string {
  const checked = seen === undefined ? {} : { seen: headText(seen) }
  return `${site}/#${String(new URLSearchParams({ run, ...checked, token }))}`
}

/** Reads from localStorage, which browsers may refuse. */
export function keptValue(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined
  } catch {
    return undefined
  }
}

/** Writes to localStorage; without it things are kept until the page closes. */
export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // The page works without.
  }
}
