/** The ways to save that are compared: `plain` commits a state that was changed in place, without a draft. */
export type Way = 'commit' | 'plain' | 'raw' | 'whole'

/** What the bench asks of the page. */
export interface SaveRequest {
  readonly bytes: number
  readonly rounds: number
  readonly warmup: number
}

/** Milliseconds of each round, and bytes of one save. */
export interface SaveTimes {
  readonly commit: number[]
  readonly plain: number[]
  readonly raw: number[]
  readonly whole: number[]
  readonly commitBytes: number
  readonly wholeBytes: number
  /** What was said between two saves, as JSON. */
  readonly changeBytes: number
}

/** What the page asks of a worker: to get ready, to save once, to end. */
export type ToWorker =
  | { readonly type: 'open'; readonly way: Way; readonly bytes: number }
  | { readonly type: 'save'; readonly round: number; readonly line: Uint8Array<ArrayBuffer> | undefined }
  | { readonly type: 'close' }

/** What a worker answers: how long the save took, and what it stored. */
export interface Saved {
  readonly ms: number
  readonly stored: number
  readonly changed: number
  readonly line?: Uint8Array<ArrayBuffer>
}
