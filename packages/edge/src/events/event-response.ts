import { WaystoneError } from '@waystone/core'
import type { Context } from 'hono'
import { streamSSE, type SSEStreamingApi } from 'hono/streaming'
import { edgeClock } from '../object/edge-clock.ts'
import type { Report } from '../report.ts'
import type { RunRoutesPorts } from '../object/run-routes.ts'
import { parseCursor, type EventCursor } from './event-cursor.ts'
import { RunEvents, type EventSource } from './run-events.ts'

/** A reader that takes nothing for this long is let go: it can come back with its cursor. In ms. */
const stuckMsMax = 60_000

/** A run that somebody reads. */
interface ReadBy extends EventSource, Pick<RunRoutesPorts, 'checkAsking'> {
  /** When they are not let in any more, in ms since 1970. */
  readonly until: number | undefined
}

/**
 * The events of a run as `text/event-stream`. `from` is the first entry to be told when there is no `last-event-id`.
 * Ends after `end`; a client that comes back after that gets 204, which stops an `EventSource`. While it is open the
 * object is awake and its duration is billed: the WebSocket is the way that costs nothing while nothing happens. That a
 * client has gone is noticed when a second write to it fails, so 30 s later at most (TCP answers the first; workerd, 2026-11).
 * Throws `run_unknown`, `request_refused`, `limit_exceeded`.
 */
export function eventResponse(context: Context, source: ReadBy, from: number, report: Report): Response {
  const { keeper, changes, checkAsking, until } = source
  const { log } = keeper
  const { run, head } = log.mustFold()
  const id = context.req.header('last-event-id')
  const cursor: EventCursor =
    id === undefined || id === '' ? { seq: from - 1, ended: false, streams: new Map() } : parseCursor(id)
  if (cursor.seq > head.seq) {
    throw new WaystoneError(
      'request_refused',
      `run ${run} has entries 0 to ${String(head.seq)}, there is none ${String(cursor.seq)} to go on from`,
      { run },
    )
  }
  if (cursor.ended) return new Response(null, { status: 204 })
  const leave = changes.join(run)
  const gone = new AbortController()
  const isOver = (): boolean => isRefused(checkAsking)
  return streamSSE(context, async (stream) => {
    stream.onAbort(() => gone.abort())
    // Whoever waits for an event is looked at again when the token ends.
    if (until !== undefined)
      void edgeClock.wait(Math.max(0, until - Date.now()) + 1, gone.signal).then(() => changes.now())
    try {
      for await (const event of new RunEvents(source, cursor).read(gone.signal, isOver)) {
        if (isOver()) return
        const taken = event
          ? stream.writeSSE({ ...event, data: JSON.stringify(event.data) })
          : stream.write(': keep-alive\n\n')
        if (!(await isTaken(taken, stream, gone.signal))) return
      }
    } catch (error) {
      report({ where: 'events', run, error })
    } finally {
      gone.abort()
      leave()
    }
  })
}

/** True when the reader is not let in any more: its token has expired, its link was taken back, its run deleted. */
function isRefused(check: () => void): boolean {
  try {
    check()
    return false
  } catch {
    return true
  }
}

/** Waits until the reader has taken what was written; false when it is gone, or as good as gone. */
async function isTaken(
  writing: Promise<unknown>,
  stream: SSEStreamingApi,
  gone: AbortSignal,
): Promise<boolean> {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  gone.addEventListener('abort', end)
  const wrote = writing.then(() => true)
  const taken = await Promise.race([wrote, edgeClock.wait(stuckMsMax, stop.signal).then(() => false)])
  gone.removeEventListener('abort', end)
  stop.abort()
  if (!taken) stream.abort()
  return taken && !gone.aborted
}
