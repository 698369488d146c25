import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { RunLog } from '../log/run-log.ts'

/** What a host writes before anything has come of it; an effect that is started time and again is no progress either. */
const noProgress: ReadonlySet<string> = new Set(['open', 'once.start', 'snapshot'])

/** Whoever goes on has opened the run, and before that there is mostly a record, or the claim that brought it. */
const readAtOnce = 2

/**
 * Why nothing more is tried by itself: devices have opened the run again and again, in a short time, and no step has come to an
 * end. Undefined for a run that has come further, or had to wait until then. Reads no more than it needs to: two entries at once, for most.
 */
export async function stalledOpenings(log: RunLog, now: number): Promise<WaystoneError | undefined> {
  const { run, head, due = 0 } = log.mustFold()
  const since = Math.max(now - limits.openingsMs, due)
  let openings = 0
  for (let to = head.seq; to > 0; to -= readAtOnce) {
    const entries = await log.entries(Math.max(1, to - readAtOnce + 1), to)
    if (entries.length === 0) return undefined
    for (const { kind, time } of entries.toReversed()) {
      if (!noProgress.has(kind) || time < since) return undefined
      if (kind === 'open') openings += 1
      if (openings > limits.openingsMax) return stalled(run, openings)
    }
  }
  return undefined
}

/** True when a log is too short to have been opened too often. */
export function isYoung(log: RunLog): boolean {
  return log.mustFold().head.seq < limits.openingsMax
}

function stalled(run: RunId, openings: number): WaystoneError {
  return new WaystoneError(
    'no_progress',
    `run ${run} was opened ${String(openings)} times in ${String(limits.openingsMs / 60_000)} minutes, and none of its steps has come to an end: one of them may use up the memory of the page, ` +
      'or was given no time. Nothing more is tried by itself',
    { run, actions: ['retry', 'rewind', 'fork', 'cancel'] },
  )
}
