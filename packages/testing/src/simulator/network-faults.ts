/** What a network does to one request, by probability; the rest arrives once and is answered once. */
export interface NetworkFaults {
  readonly dropped: number
  readonly answerDropped: number
  readonly duplicated: number
  readonly late: number
}

/** A network in which nothing goes wrong. */
export const calmNetwork: NetworkFaults = { dropped: 0, answerDropped: 0, duplicated: 0, late: 0 }

/** One in which much does. */
export const wildNetwork: NetworkFaults = { dropped: 0.05, answerDropped: 0.07, duplicated: 0.05, late: 0.1 }
