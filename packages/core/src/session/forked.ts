import { isWaystoneError } from '../errors.ts'
import { isDamage } from '../log/damage.ts'
import { verifyChain } from '../log/entry.ts'
import { foldEntries, type Fold } from '../log/fold.ts'
import type { RunLog } from '../log/run-log.ts'
import { baseOfTail } from '../log/tail-base.ts'
import type { SetAside } from '../ports/tails.ts'

/** Kinds of entries that nobody misses. */
const quiet: ReadonlySet<string> = new Set(['snapshot', 'open'])

/** What was set aside leads to `mine`, from `base` on: undefined when the two have nothing in common. */
export interface Parting {
  readonly mine: Fold
  readonly base: Fold | undefined
}

/** Where one of the tails that were set aside leads; undefined when it cannot be read any more, or has nothing that anybody would miss. */
export async function partingOf(
  log: RunLog,
  { lines }: SetAside,
  tails: readonly SetAside[],
): Promise<Parting | undefined> {
  try {
    if (lines.length === 0) return undefined
    const base = await baseOfTail(log, lines, tails)
    const entries = await log.reader.resolve(verifyChain(log.run, base?.head, lines))
    if (entries.every(({ kind }) => quiet.has(kind))) return undefined
    const mine = foldEntries(base, entries)
    return mine && { mine, base }
  } catch (error) {
    if (isWaystoneError(error, 'checkpoint_gone') || isDamage(error)) return undefined
    throw error
  }
}
