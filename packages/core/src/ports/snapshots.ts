import type { RunId } from '../ids.ts'

/**
 * Where to begin reading a log: the lines of its snapshot entries, beside it, since they outlive the entries around them.
 * A line is put after it was appended, and proves itself by its digest: one that is missing only makes reading longer.
 */
export interface Snapshots {
  /** Keeps the line of a snapshot of the entry `at`, instead of another of the same. Durable when resolved. */
  put(run: RunId, at: number, line: Uint8Array): Promise<void>
  /** The entries of which there are snapshots, oldest first. */
  list(run: RunId): Promise<readonly number[]>
  get(run: RunId, at: number): Promise<Uint8Array | undefined>
  remove(run: RunId, ats: readonly number[]): Promise<void>
}
