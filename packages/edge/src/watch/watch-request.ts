import { headers, type ErrorCode, type RunId } from '@waystone/core'
import type { RouteName } from '../http/routes.ts'
import { safely, watchNothing, type EdgeEvent, type Watch } from './edge-event.ts'

/** One request, from when it came until it is answered. */
export interface WatchedRequest {
  /** Called when it is known whose it is. */
  about(tenant: string, run: RunId | undefined): void
  /** Tells of the answer, and gives it back. */
  answered(response: Response): Response
}

/** Tells of requests that are refused, and of entries that devices read. What is stored the object of the run tells. */
export function watchRequest(route: RouteName, watch: Watch = watchNothing): WatchedRequest {
  const began = Date.now()
  const tell = safely(watch)
  let about: Pick<EdgeEvent, 'tenant' | 'run'> = {}
  return {
    about(tenant, run) {
      about = { tenant, ...(run === undefined ? {} : { run }) }
    },
    answered(response) {
      const { status } = response
      const code = response.headers.get(headers.code)
      const bytes = Number(response.headers.get('content-length') ?? 0)
      const measured = { ...about, ms: Date.now() - began, bytes }
      if (code !== null) tell({ type: 'refusal', code: code as ErrorCode, status, route, ...measured })
      else if (route === 'pullEntries') {
        const entries = Number(response.headers.get(headers.entries) ?? 0)
        if (entries > 0) tell({ type: 'restore', by: 'device', entries, ...measured })
      }
      return response
    },
  }
}
