import type { RunId } from '@waystone/core'

/** Something that failed at the edge without anybody waiting for it: the library itself logs nothing. */
export interface Failure {
  readonly where:
    | 'request'
    | 'alarm'
    | 'run'
    | 'take over'
    | 'frame'
    | 'events'
    | 'snapshot'
    | 'own work'
    | 'catalog'
    | 'search'
    | 'family'
  readonly run?: RunId
  /** The name of the application's own due time whose work failed. */
  readonly name?: string
  readonly error: unknown
}

/** Hears of failures; what it does is the application's: `console.error`, a metric, an alert. */
export type Report = (failure: Failure) => void

/** For applications that do not want to hear. */
export const reportNothing: Report = () => undefined
