import { isWaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { isDamage } from '../log/damage.ts'
import { parseLine, verifyChain } from '../log/entry.ts'
import { foldEntries, type Fold } from '../log/fold.ts'
import type { RunLog } from '../log/run-log.ts'
import type { SetAside } from '../ports/tails.ts'

/** Kinds of entries that nobody misses. */
const quiet: ReadonlySet<string> = new Set(['snapshot', 'open'])

/** What was set aside leads to `mine`, from `base` on: undefined when the two have nothing in common. */
export interface Parting {
  readonly mine: Fold
  readonly base: Fold | undefined
}

/** Where a set aside tail leads; undefined when it cannot be read any more, or has nothing that anybody would miss. */
export async function partingOf(log: RunLog, { lines }: SetAside): Promise<Parting | undefined> {
  try {
    const first = lines[0] && parseLine(lines[0])
    if (first === undefined) return undefined
    const base = first.prev === null ? undefined : await foldBefore(log, first.seq, first.prev)
    const entries = await log.reader.resolve(verifyChain(log.run, base?.head, lines))
    if (entries.every(({ kind }) => quiet.has(kind))) return undefined
    const mine = foldEntries(base, entries)
    return mine && { mine, base }
  } catch (error) {
    const isGone = isWaystoneError(error, 'checkpoint_gone') || isWaystoneError(error, 'input_refused')
    if (isGone || isDamage(error)) return undefined
    throw error
  }
}

async function foldBefore(log: RunLog, seq: number, digest: Digest): Promise<Fold | undefined> {
  const fold = await log.foldAt(seq - 1)
  return fold.head.digest === digest ? fold : undefined
}
