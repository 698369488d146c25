import type { RunId } from '../ids.ts'

/** A tail that was refused or damaged, kept under its own name. */
export interface SetAside {
  /** Names it within its run: what `tailName` gives. */
  readonly name: string
  readonly reason: string
  readonly time: number
  readonly lines: readonly Uint8Array[]
}

/** The name of a tail whose first entry has this sequence number, set aside at this time. */
export function tailName(from: number, time: number): string {
  return `${String(from)}-${String(time)}`
}

/** The sequence number in a name that `tailName` has given. */
export function firstOfTail(name: string): number {
  return Number.parseInt(name, 10)
}

/** What appends to logs have set aside, verbatim. */
export interface Tails {
  /** What was set aside of a run, oldest first. */
  list(run: RunId): Promise<readonly SetAside[]>
  /** Drops one of them for ever. */
  drop(run: RunId, name: string): Promise<void>
}
