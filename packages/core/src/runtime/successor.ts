import { replayRules } from '../engine/attempt.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { familyOf, inputOf, isStart, type Call } from '../engine/call.ts'
import { limits } from '../limits.ts'
import type { Entry } from '../log/entry.ts'
import { mayFollowEnd, type Fold, type TurnRecord } from '../log/fold.ts'
import { isSealed } from '../log/public-body.ts'
import type { RunLog } from '../log/run-log.ts'
import type { Head } from '../ports/log-store.ts'
import type { OpenCall, Proof } from '../ports/remote.ts'

/** The proof of who has replayed the open turn of a fold, with the calls that the replay has left open. */
export function proofOf(
  fold: Fold,
  { version }: AnyAgent,
  open: readonly Pick<Call, 'path' | 'family' | 'start' | 'input'>[],
): Proof {
  // Whoever passes a proof on has no key: it says nothing of what is in an encrypted run.
  const named = isSealed(fold) ? [] : openCalls(open)
  return { head: fold.head, version, rules: replayRules, ...(named.length === 0 ? {} : { open: named }) }
}

/**
 * True when the replay that proved an earlier head is as good as one of the whole log: what was added are outcomes of calls that
 * it had made, as they are recorded, and was waiting for. With nothing recorded behind an outcome there is nothing that what
 * comes after it could differ from.
 */
export async function covers(log: Pick<RunLog, 'mustFold' | 'entries'>, proof: Proof): Promise<boolean> {
  const fold = log.mustFold()
  if (proof.head.digest === fold.head.digest) return true
  const added = recordedSince(fold, proof.head) ?? (await addedSince(log, fold, proof.head))
  if (added === undefined) return false
  const open = new Map(proof.open?.map((call) => [call.path, call]))
  return added.every((entry) => {
    // Who writes a run, or has a picture of it, is nothing that a turn hears of.
    if (mayFollowEnd(entry.kind)) return true
    if (entry.kind === 'turn') return entry.body.rules === proof.rules
    const call = 'path' in entry.body ? open.get(entry.body.path) : undefined
    // Each has one outcome.
    return call !== undefined && open.delete(call.path) && isOutcomeOf(entry, call)
  })
}

/** What was added after a head, which is known without reading when it is records of the open turn, all of them. */
function recordedSince({ head, records }: Fold, since: Head): readonly TurnRecord[] | undefined {
  const at = records.findIndex(({ digest }) => digest === since.digest)
  return at >= 0 && records.length - 1 - at === head.seq - since.seq ? records.slice(at + 1) : undefined
}

/** The entries after a head; undefined when this log does not have it, or cannot be read. */
async function addedSince(
  log: Pick<RunLog, 'entries'>,
  { head }: Fold,
  since: Head,
): Promise<readonly Entry[] | undefined> {
  if (since.seq >= head.seq) return undefined
  const [proved, ...added] = await log.entries(since.seq, head.seq).catch(() => [])
  return proved?.digest === since.digest ? added : undefined
}

function isOutcomeOf(entry: Entry | TurnRecord, { family, input }: OpenCall): boolean {
  const record = entry as unknown as TurnRecord
  if (familyOf(record) !== family || isStart(record)) return false
  const made = inputOf(record)
  return made === undefined || input === undefined || made === input
}

/** Those whose outcome comes from a body alone, as many as a request carries. */
function openCalls(calls: readonly Pick<Call, 'path' | 'family' | 'start' | 'input'>[]): readonly OpenCall[] {
  let chars = 0
  const named = calls.flatMap(({ path, family, start, input }): readonly OpenCall[] =>
    family === 'step' || (family === 'once' && start !== undefined)
      ? [{ path, family, ...(input === undefined ? {} : { input }) }]
      : [],
  )
  return named
    .slice(0, limits.openCallsMax)
    .filter((call) => (chars += JSON.stringify(call).length) <= limits.openCallsCharsMax)
}
