import { WaystoneError } from '../errors.ts'
import type { SnapshotPolicy } from '../log/retention.ts'
import { durationMs, type Duration } from './duration.ts'

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
export function snapshotPolicyOf({ turns, interval }: SnapshotsOption = {}): SnapshotPolicy {
  const ms = interval === undefined ? undefined : durationMs(interval)
  if (turns !== undefined && !(Number.isSafeInteger(turns) && turns > 0))
    throw refused('turns', 'a whole number from 1 on', turns)
  if (ms === 0) throw refused('interval', 'a duration above 0', interval)
  return { ...(turns === undefined ? {} : { turns }), ...(ms === undefined ? {} : { ms }) }
}

function refused(name: string, expected: string, found: unknown): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `the \`${name}\` of \`snapshots\`: expected ${expected}, found ${String(found)}`,
  )
}
