import { durationMs, parseRunId, WaystoneError, type Duration } from '@waystone/core'
import type { AskEdge } from './edge-http.ts'

/** What a link allows: to look on, or to see what the run asks and answer. */
export type LinkUse = 'read' | 'answer'

/** A link to a run. Its secret was told once, to whoever made it. */
export interface RunLink {
  readonly id: string
  readonly use: LinkUse
  /** Who made it. */
  readonly by?: string
  /** When it was made and when it ends, in ms since 1970. */
  readonly time: number
  readonly until?: number
}

/** Links to one run at the edge, for people without an account. */
export interface RunLinks {
  /**
   * Makes a link; `token` lets in whoever has it, as the token of an edge. Put it behind the `#` of an address, which is
   * never sent to a server. Default lifetime, and the longest: 30 days. Rejects with `forbidden`, `run_unknown`,
   * `limit_exceeded`.
   */
  make(
    use: LinkUse,
    options?: { readonly lifetime?: Duration },
  ): Promise<RunLink & { readonly token: string }>
  list(): Promise<readonly RunLink[]>
  /** Takes a link back at once; who follows by it is cut off. Rejects with `request_refused` when there is none. */
  revoke(id: string): Promise<void>
}

/** The links to a run, as this device may make and take them back. */
export function runLinks(ask: AskEdge, run: string): RunLinks {
  const path = `/v1/runs/${parseRunId(run)}/links`
  const json = async <T>(response: Promise<Response>): Promise<T> => (await (await response).json()) as T
  return {
    make(use, { lifetime } = {}) {
      const ms = lifetime === undefined ? undefined : durationMs(lifetime)
      const body = JSON.stringify({ use, ...(ms === undefined ? {} : { ms }) })
      return json(ask(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } }))
    },
    async list() {
      const { links } = await json<{ links: readonly RunLink[] }>(ask(path))
      return links
    },
    async revoke(id) {
      await ask(`${path}/${encodeURIComponent(id)}`, { method: 'DELETE' })
    },
  }
}

/** The error where there is no edge to make links at. */
export function noEdge(): WaystoneError {
  return new WaystoneError(
    'input_refused',
    'links are made at an edge, and this Waystone was opened without one',
  )
}
