/** What the bench asks of the page. */
export interface EngineRequest {
  readonly steps: number
  readonly items: number
}

/** Milliseconds. */
export interface EngineTimes {
  /** Of each step: from its call to its result, and the part of that which its append took. */
  readonly steps: readonly { readonly whole: number; readonly append: number }[]
  /** Of each of some replays of these steps, nothing being stored. */
  readonly replays: readonly number[]
  /** To open a log of these steps and to come to where it waits. */
  readonly resume: number
  /** A map over items, one step each, 100 at a time, and the part of it spent in appends, where they overlap once. */
  readonly map: { readonly whole: number; readonly entries: number }
}
