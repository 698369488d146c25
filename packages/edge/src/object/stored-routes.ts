import { limits, storedCheckpoints, WaystoneError, type RunId } from '@waystone/core'
import { Hono } from 'hono'
import { byteStream } from '../http/byte-stream.ts'
import { errorResponse } from '../http/errors.ts'
import { countIn, flagIn, limitIn, textIn } from '../http/query.ts'
import { exportHeaders } from '../http/export-tenant.ts'
import type { Report } from '../report.ts'
import type { ObjectStorage } from '../store/object-storage.ts'
import { exportStored, whileLetIn } from './export-stored.ts'

/** What routes work with that read a run as it is stored. */
export interface StoredRoutesPorts {
  readonly run: RunId
  readonly storage: ObjectStorage
  /** Throws when who asks is not let in any more. */
  readonly checkAsking: () => void
  readonly report: Report
}

/** The last parts of the addresses of these routes. */
export const storedPaths: ReadonlySet<string | undefined> = new Set(['checkpoints', 'export'])

/** Routes that read a run as it is stored: it is not opened for them, so that nothing of its state is in memory. */
export function storedRoutes({ run, storage, checkAsking, report }: StoredRoutesPorts): Hono {
  const app = new Hono().basePath('/v1/runs/:run')
  app.onError((error) => errorResponse(error, report))
  app.get('/checkpoints', async (context) => {
    const query = new URL(context.req.url).searchParams
    const { checkpoints, next } = await storedCheckpoints(run, storage, {
      before: countIn(query, 'after'),
      label: textIn(query, 'label'),
      trigger: textIn(query, 'trigger'),
      valid: flagIn(query, 'valid'),
      from: countIn(query, 'from'),
      to: countIn(query, 'to'),
      limit: limitIn(query, limits.listRunsMax),
    })
    return context.json({ checkpoints, ...(next === undefined ? {} : { next: String(next) }) })
  })
  app.get('/export', async () => {
    const head = await storage.store.head(run)
    if (head === undefined) throw runUnknown(run)
    const parts = whileLetIn(exportStored(run, head, storage), checkAsking)
    return new Response(byteStream(parts), { headers: exportHeaders })
  })
  return app
}

/** The error for who asks for a run that is not here. */
export function runUnknown(run: RunId): WaystoneError {
  return new WaystoneError('run_unknown', `there is no run ${run} here`, { run })
}
