import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { RunLog } from '../log/run-log.ts'

/** What a host writes before anything has come of it; an effect that is started time and again is no progress either. */
const noProgress: ReadonlySet<string> = new Set(['open', 'once.start', 'snapshot'])

/**
 * Why nothing more is tried by itself: devices have opened the run again and again, in a short time, and no step has come to an
 * end. Undefined for a run that has come further, or had to wait until then. Reads no more than it needs to: one entry or two, for most.
 */
export async function stalledOpenings(log: RunLog, now: number): Promise<WaystoneError | undefined> {
  const { run, head, due = 0 } = log.mustFold()
  const since = Math.max(now - limits.openingsMs, due)
  let openings = 0
  for (let seq = head.seq; seq > 0 && openings <= limits.openingsMax; seq -= 1) {
    const [entry] = await log.entries(seq, seq)
    if (entry === undefined || !noProgress.has(entry.kind) || entry.time < since) break
    if (entry.kind === 'open') openings += 1
  }
  return openings > limits.openingsMax ? stalled(run, openings) : undefined
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
