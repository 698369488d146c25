import type { ErrorCode, RunId } from '@waystone/core'

/** What the edge has done. It has no content of a run, and nothing of who asked. */
export type EdgeEvent =
  /** Entries were stored: of a device that pushed them, or of the edge's own host. */
  | (Measured & { readonly type: 'save'; readonly by: 'device' | 'edge'; readonly entries: number })
  /** A run was read in order to go on: here, or by a device that pulled its entries. */
  | (Measured & { readonly type: 'restore'; readonly by: 'device' | 'edge'; readonly entries: number })
  /** The owner has changed. */
  | (Measured & {
      readonly type: 'claim'
      readonly reason: string
      readonly from: string
      readonly to: string
    })
  /** A request was refused. */
  | (Measured & {
      readonly type: 'refusal'
      readonly code: ErrorCode
      readonly status: number
      readonly route: string
    })

/** What all events have. */
export interface Measured {
  /** Undefined for who was not let in. */
  readonly tenant?: string
  readonly run?: RunId
  /**
   * How long it took, in ms. The clock of a worker stands still while it computes, so this is the time of its storage and
   * network.
   */
  readonly ms: number
  /** What was stored, read or sent, in bytes. */
  readonly bytes: number
}

/** Hears of what the edge does. It must be quick, and what it throws is dropped. */
export type Watch = (event: EdgeEvent) => void

/** For applications that do not want to hear. */
export const watchNothing: Watch = () => undefined

/** Hears as `watch` does, and never throws. */
export function safely(watch: Watch): Watch {
  return (event) => {
    try {
      watch(event)
    } catch {
      // Watching a run must not change what becomes of it.
    }
  }
}
