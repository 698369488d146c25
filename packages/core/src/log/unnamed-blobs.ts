import { digestsIn, type Digest } from '../ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { fromUtf8 } from '../state/digest.ts'
import { parseLine } from './entry.ts'
import { namesIn } from './fold.ts'
import type { RunLog } from './run-log.ts'

/** What may name blobs of a run. */
export interface NamesPorts extends Pick<RunStorage, 'snapshots' | 'tails' | 'inbox'> {
  /** Others work between two of its tasks. */
  readonly clock: Pick<Clock, 'task'>
  /** Pages of the log that are read at most: where it is longer, all of them count as named. */
  readonly pagesMax: number
}

/**
 * Those of the blobs that nothing here names: no entry that is stored, no snapshot, nothing that was set aside or waits in the inbox, and not
 * the state. Whatever looks like a hash there counts as one. An entry that is still to come may name them: see `RunLog.remove`. None
 * where not all can be read: of a run that is damaged, also where that was set aside, and where something encrypted waits in the inbox.
 * Entries of an encrypted run say in the open which blobs they need, and its snapshots which artifacts are needed of what is gone.
 */
export async function unnamedBlobs(
  log: RunLog,
  blobs: readonly Digest[],
  ports: NamesPorts,
): Promise<readonly Digest[]> {
  const { fold, run } = log
  if (log.damage !== undefined) return []
  const left = new Set<string>(blobs)
  const strike = (text: string): void => {
    for (const hash of digestsIn(text)) left.delete(hash)
  }
  if (fold) strike(JSON.stringify([fold.blobs, fold.gone ?? null]))
  for (const at of await ports.snapshots.list(run)) {
    const line = await ports.snapshots.get(run, at)
    if (line) strike(fromUtf8(line))
  }
  for (const { lines } of await ports.tails.list(run)) {
    if (!lines.every(isReadable)) return []
    for (const line of lines) strike(fromUtf8(line))
  }
  const items = await ports.inbox.list(run)
  if (items.some(({ sealed }) => sealed !== undefined)) return []
  strike(JSON.stringify(items))
  // A run that has not begun names nothing else.
  if (fold === undefined) return blobs.filter((hash) => left.has(hash))
  if (left.size > 0) strike(JSON.stringify(namesIn(fold)))
  if (left.size > 0 && !(await readAll(log, ports, strike))) return []
  return blobs.filter((hash) => left.has(hash))
}

function isReadable(line: Uint8Array): boolean {
  try {
    parseLine(line)
    return true
  } catch {
    return false
  }
}

/** True when all that is stored of the log was read, and is as it was before. */
async function readAll(
  log: RunLog,
  { clock, pagesMax }: NamesPorts,
  hear: (text: string) => void,
): Promise<boolean> {
  const first = (await log.reader.first()) ?? 0
  let next = first
  for (let pages = 0; next <= log.mustFold().head.seq; pages++) {
    const lines = await log.reader.page(next)
    if (pages === pagesMax || lines.length === 0) return false
    for (const line of lines) hear(fromUtf8(line))
    next += lines.length
    await clock.task()
  }
  return log.damage === undefined
}
