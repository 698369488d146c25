import type { SnapshotPolicy } from '../log/retention.ts'
import { countAboveZero, msAboveZero } from './above-zero.ts'
import type { Duration } from './duration.ts'

/**
 * When runs of an agent make a snapshot, beside when what was added since the newest one outweighs a quarter of it:
 * whichever comes first. Each is looked at when a turn commits. What is committed is durable without any: with them a run
 * is opened, forked and shown at old checkpoints sooner, for what the changed parts of its state take to be stored again.
 */
export interface SnapshotsOption {
  /** After so many turns; 1: after every turn. */
  readonly turns?: number
  /** With the first turn that ends so long after the newest one was made. */
  readonly interval?: Duration
}

/** An option as the log takes it. Throws `input_refused` for a number that is not above 0. */
export function snapshotPolicyOf(option: SnapshotsOption = {}): SnapshotPolicy {
  const turns = countAboveZero('`turns` of `snapshots`', option.turns)
  const ms = msAboveZero('`interval` of `snapshots`', option.interval)
  return { ...(turns === undefined ? {} : { turns }), ...(ms === undefined ? {} : { ms }) }
}
