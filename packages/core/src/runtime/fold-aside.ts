import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import type { EffectAfter } from '../log/bodies.ts'
import { parseReadable, soundLines } from '../log/damage.ts'
import { verifyChain } from '../log/entry.ts'
import { foldEntries, type Fold } from '../log/fold.ts'
import type { RunLog } from '../log/run-log.ts'
import { baseOfTail } from '../log/tail-base.ts'
import type { SetAside } from '../ports/tails.ts'
import { effectsAfter } from './first-entry.ts'

/** A run as it was at the end of what was set aside of it. */
export interface FoldAside {
  readonly fold: Fold
  /** The effects that the run itself has started since their ways parted. */
  readonly others: readonly EffectAfter[]
}

/**
 * Folds what was set aside onto the entry that it followed, as far as it is sound; `tails` are all that were. Rejects with
 * `checkpoint_gone` when that entry is not here any more, `log_damaged` when nothing of it can be read, `format_newer`.
 */
export async function foldAside(
  log: RunLog,
  { name, lines }: SetAside,
  tails: readonly SetAside[],
): Promise<FoldAside> {
  const { run } = log
  const first = lines[0] && parseReadable(lines[0])
  if (first === undefined) throw unreadable(run, name)
  const base = await baseOfTail(log, lines, tails)
  const sound = lines.slice(0, soundLines(base?.head, lines, undefined))
  const fold = foldEntries(base, await log.reader.resolve(verifyChain(run, base?.head, sound)))
  if (fold === undefined || sound.length === 0) throw unreadable(run, name)
  return { fold, others: effectsAfter([], first.seq - 1, log.mustFold()) }
}

function unreadable(run: RunId, name: string): WaystoneError {
  return new WaystoneError('log_damaged', `nothing of "${name}", set aside of run ${run}, can be read`, {
    run,
  })
}
