/** What the page asks of the worker. */
export interface SaveRequest {
  readonly bytes: number
  readonly rounds: number
  readonly warmup: number
}

/** Milliseconds of each round, and bytes of one save. */
export interface SaveTimes {
  commit: number[]
  rawPut: number[]
  wholePut: number[]
  commitBytes: number
  wholeBytes: number
}
