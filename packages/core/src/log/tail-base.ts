import { isWaystoneError, WaystoneError } from '../errors.ts'
import type { SetAside } from '../ports/tails.ts'
import { isDamage, parseReadable } from './damage.ts'
import { parseLine, verifyChain, type ParsedEntry } from './entry.ts'
import { foldEntries, type Fold } from './fold.ts'
import type { RunLog } from './run-log.ts'

/**
 * What something that was set aside follows, undefined for the beginning of a run: an entry of the log, or, where that begins
 * later by now, what a snapshot among its own lines tells of it, or an entry of something else that was set aside. Rejects
 * with `checkpoint_gone` when it is nowhere.
 */
export async function baseOfTail(
  log: RunLog,
  lines: readonly Uint8Array[],
  tails: readonly SetAside[],
): Promise<Fold | undefined> {
  const first = parseLine(lines[0] as Uint8Array)
  if (first.prev === null) return undefined
  for (const look of [inLog, inOwnSnapshot, inOtherTail]) {
    const base = await look(log, { first, lines, tails }).catch((error: unknown) => {
      if (!isGone(error)) throw error
      return undefined
    })
    if (base?.head.digest === first.prev) return base
  }
  throw new WaystoneError(
    'checkpoint_gone',
    `what was set aside of run ${log.run} follows an entry ${String(first.seq - 1)} that is not here any more`,
    { run: log.run },
  )
}

interface Tail {
  readonly first: ParsedEntry
  readonly lines: readonly Uint8Array[]
  readonly tails: readonly SetAside[]
}

function inLog(log: RunLog, { first }: Tail): Promise<Fold> {
  return log.foldAt(Math.min(first.seq - 1, log.mustFold().head.seq))
}

async function inOwnSnapshot(log: RunLog, { first, lines }: Tail): Promise<Fold | undefined> {
  for (const line of lines) {
    const stored = parseReadable(line)
    if (stored?.kind !== 'snapshot') continue
    const [entry] = await log.reader.resolve([stored])
    if (entry?.kind === 'snapshot' && entry.body.at.digest === first.prev) return log.reader.foldOf(entry)
  }
  return undefined
}

/** Each looks at those that begin before it does, so that this comes to an end. */
async function inOtherTail(log: RunLog, { first, tails }: Tail): Promise<Fold | undefined> {
  for (const { lines } of tails) {
    const end = lines.findIndex((line) => parseReadable(line)?.digest === first.prev)
    if (end < 0) continue
    const base = await baseOfTail(log, lines, tails)
    const before = verifyChain(log.run, base?.head, lines.slice(0, end + 1))
    return foldEntries(base, await log.reader.resolve(before))
  }
  return undefined
}

function isGone(error: unknown): boolean {
  return (
    isWaystoneError(error, 'checkpoint_gone') || isWaystoneError(error, 'input_refused') || isDamage(error)
  )
}
