import type { Digest } from '../ids.ts'
import type { LabelNote, Retention, SnapshotNote } from './bodies.ts'
import type { Fold } from './fold.ts'
import { oldestIn } from './key-index.ts'
import { isSession } from './session-agent.ts'
import { limits } from '../limits.ts'

/** When a snapshot is made although reading from the newest one on is short: whichever comes first. */
export interface SnapshotPolicy {
  /** After so many commits. */
  readonly turns?: number
  /** With the first commit that is so many milliseconds after what the newest one is of. */
  readonly ms?: number
}

/**
 * True when reading from the newest snapshot on has become long: what came since outweighs a quarter of it, so that all
 * snapshots of a run together cost a few times what its entries do, however large the state is; or when a policy wants
 * one sooner. Between two turns only: the records of an open turn are needed one by one, wherever reading begins.
 */
export function snapshotDue(fold: Fold, policy?: () => SnapshotPolicy | undefined): boolean {
  const { since, snapshots, records } = fold
  if (records.length > 0) return false
  if (since.entries >= limits.snapshotEntriesMax || isWanted(fold, policy?.())) return true
  const quarter = (snapshots.at(-1)?.bytes ?? 0) / 4
  return since.bytes >= Math.max(limits.snapshotBytesMin, quarter)
}

function isWanted({ turn, snapshots, started, updated }: Fold, policy: SnapshotPolicy = {}): boolean {
  const { turns = Infinity, ms = Infinity } = policy
  const newest = snapshots.at(-1) ?? { turn: 0, time: started }
  // A run that went back has one of a later turn: so many turns back are as far as so many forth.
  const commits = Math.abs(turn - newest.turn)
  if (commits === 0) return false
  return commits >= turns || updated - newest.time >= ms
}

/** What stays of a run, and what goes. */
export interface RetentionPlan {
  /** Entries before this one go. */
  readonly forget: number
  /** Entries before this one are seldom read. */
  readonly cold: number
  /** The snapshots that stay. */
  readonly keep: readonly SnapshotNote[]
  /** Checkpoints that need a snapshot of their own before the entries around them go. */
  readonly label: readonly LabelNote[]
  /** The artifacts of entries that go which are still needed; absent: what stays tells, to whoever can read it. */
  readonly but?: readonly Digest[]
}

/** What a plan depends on, beside the run and its policy. */
export interface RetentionFacts {
  /** In ms since 1970. */
  readonly now: number
  /** The last entry that is elsewhere too: what is nowhere else stays, snapshots with it, since the others are sent what their entries name. */
  readonly synced: number
  /** Labelled checkpoints that cannot be read any more. */
  readonly lost?: ReadonlySet<number>
  /** The first entry after which something was set aside that nobody has dropped: to be read it needs the run as it was there. */
  readonly parted?: number
}

/**
 * What of an encrypted run is to be kept where nobody can read it: what its writer has kept, and what was set aside here needs.
 * Which entries are seldom read nobody has to tell.
 */
export function planAsWriter(fold: Fold, parted: number): RetentionPlan {
  const { gone, snapshots, unwind } = fold
  const { before, but } = gone === undefined || unwind ? { before: 0, but: [] } : gone
  const plain = betweenTurns(fold)
  const base = parted === Infinity ? Infinity : (plain.findLast(({ at }) => at.seq <= parted)?.at.seq ?? -1)
  return { forget: Math.min(before, base + 1), cold: coldBefore(plain), keep: snapshots, label: [], but }
}

/** Those that history is cut at. One for a label is of the middle of a turn, but in a session, which has none. */
function betweenTurns(fold: Fold): readonly SnapshotNote[] {
  const { snapshots } = fold
  return isSession(fold) ? snapshots : snapshots.filter(({ label }) => label === undefined)
}

function coldBefore(plain: readonly SnapshotNote[]): number {
  return (plain.at(-1)?.at.seq ?? -1) + 1
}

/**
 * What of a run is to be kept; without a policy all, and while the run is on its way back, which may need any of it.
 * Reading begins at a snapshot, so that history is cut only where one is, and never after the last but one. Entries stay,
 * too, that have a keyed value of the run as it is, or of a checkpoint that is kept.
 */
export function planRetention(
  fold: Fold,
  retention: Retention | undefined,
  { now, synced, lost = new Set(), parted = Infinity }: RetentionFacts,
): RetentionPlan {
  const policy = fold.unwind === undefined ? retention : undefined
  const plain = betweenTurns(fold)
  const lastButOne = plain.at(-2)
  const mayGo = (note: SnapshotNote): boolean =>
    policy !== undefined &&
    lastButOne !== undefined &&
    note.at.seq <= Math.min(lastButOne.at.seq, parted) &&
    note.entry.seq <= synced &&
    note.turn <= fold.turn - policy.turns &&
    note.time <= now - policy.ms
  const cut = plain.findLast(mayGo)
  const horizon = cut === undefined ? 0 : cut.at.seq + 1
  const inside = plain.filter(({ at }) => at.seq >= horizon - 1)
  const labelled = fold.snapshots.filter(({ label }) => label !== undefined)
  const known = new Set(labelled.map(({ at }) => at.seq))
  const isPending = ({ at }: LabelNote): boolean =>
    at.seq < horizon && !known.has(at.seq) && !lost.has(at.seq)
  const chosen = new Set([
    ...(policy?.labels === false ? [] : labelled.slice(-limits.labelsMax)),
    ...thinned(inside),
  ])
  const keep = fold.snapshots.filter((note) => chosen.has(note) || note.entry.seq > synced)
  const values = horizon === 0 ? [] : [oldestIn(fold.keys), ...keep.map(({ oldest }) => oldest ?? Infinity)]
  return {
    forget: Math.min(horizon, ...values),
    cold: coldBefore(plain),
    keep,
    label: policy?.labels === false ? [] : fold.labels.slice(-limits.labelsMax).filter(isPending),
  }
}

/** At most so many, the first and the last two always: the one goes that leaves the smallest gap for its age. */
function thinned(notes: readonly SnapshotNote[]): readonly SnapshotNote[] {
  const kept = [...notes]
  const end = notes.at(-1)?.at.seq ?? 0
  const gapWithout = (index: number): number => {
    const before = kept[index - 1]?.at.seq ?? 0
    const after = kept[index + 1]?.at.seq ?? end
    return (after - before) / (end - before + 1)
  }
  while (kept.length > limits.snapshotsMax) {
    let least = 1
    for (let index = 2; index < kept.length - 2; index += 1)
      if (gapWithout(index) < gapWithout(least)) least = index
    kept.splice(least, 1)
  }
  return kept
}
