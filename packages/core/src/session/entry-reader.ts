import { WaystoneError } from '../errors.ts'
import { parseLine, type Entry } from '../log/entry.ts'
import type { RunLog } from '../log/run-log.ts'
import type { SessionSetup } from './options.ts'

/**
 * Reads single entries: here, or from the edge what was never here, since a log may begin with a snapshot. Rejects with
 * `checkpoint_gone` for one that was let go, `unreachable`, `blob_missing`.
 */
export function entryReader(
  log: RunLog,
  { edge, me }: Pick<SessionSetup, 'edge' | 'me'>,
): (seq: number) => Promise<Entry> {
  /** Lines of the last page that was fetched. */
  let page = new Map<number, Uint8Array>()

  const fromEdge = async (seq: number): Promise<Uint8Array | undefined> => {
    if (edge && !page.has(seq)) {
      const { lines } = await edge.remote.pull(log.run, seq, me)
      page = new Map(lines.map((line) => [parseLine(line).seq, line]))
    }
    return page.get(seq)
  }

  return async (seq) => {
    const line = (await log.reader.line(seq)) ?? (await fromEdge(seq))
    if (line === undefined) throw gone(log.run, seq)
    const [entry] = await log.reader.resolve([parseLine(line)])
    return entry as Entry
  }
}

function gone(run: string, seq: number): WaystoneError {
  return new WaystoneError('checkpoint_gone', `entry ${String(seq)} of session ${run} was let go`, {
    run,
    details: { seq },
  })
}
