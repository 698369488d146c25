/**
 * How often steps were tried that have not come to an end: kept by a host that lets go of its run between two tries, so
 * that the next one does not count anew.
 */
export interface TryCounts {
  /** By the paths of the steps; `turn` names the turn of a run. None for any other turn than the one that was set last. */
  get(turn: string): Readonly<Record<string, number>>
  set(turn: string, tries: Readonly<Record<string, number>>): void
}
