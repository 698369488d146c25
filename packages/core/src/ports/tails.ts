import type { RunId } from '../ids.ts'

/** A tail that was refused or damaged, kept under its own name. */
export interface SetAside {
  /** Names it within its run: the sequence number after the base and the time. */
  readonly name: string
  readonly reason: string
  readonly time: number
  readonly lines: readonly Uint8Array[]
}

/** What appends to logs have set aside, verbatim. */
export interface Tails {
  /** What was set aside of a run, oldest first. */
  list(run: RunId): Promise<readonly SetAside[]>
  /** Drops one of them for ever. */
  drop(run: RunId, name: string): Promise<void>
}
