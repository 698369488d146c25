import {
  encodeValue,
  openAsks,
  shownFold,
  statusOf,
  type Fold,
  type Live,
  type RunStatus,
} from '@waystone/core'

/** What a plain client is told of a run as a whole: the data of a `view` event. */
export interface RunStatusEvent {
  readonly run: string
  readonly agent: string
  readonly status: RunStatus
  /** The number of the open turn. */
  readonly turn: number
  /** The sequence number of the last entry. */
  readonly head: number
  readonly owner: string
  /** Questions that wait for an answer; `ask` names one in an answer. `due` in ms since 1970. */
  readonly asks: readonly {
    readonly ask: string
    readonly path: string
    readonly question: unknown
    readonly due?: number
  }[]
  /** Why the run stands still until somebody acts, and what they can do. */
  readonly pause?: { readonly reason: string; readonly message: string; readonly actions: readonly string[] }
  /** When the next turn begins, in ms since 1970. */
  readonly due?: number
}

/** How a run ended: the data of an `end` event. The result is in encoded form, as in the log. */
export interface RunEndEvent {
  readonly status: RunStatus
  readonly result?: unknown
  readonly reason?: string
}

/** A run as a whole, for a plain client. */
export function statusEvent(whole: Fold, live: Live): RunStatusEvent {
  const fold = shownFold(whole)
  const { run, identity, turn, head, owner, pause, due } = fold
  return {
    run,
    agent: identity.agent,
    status: statusOf(fold, live),
    turn,
    head: head.seq,
    owner,
    asks: asksOf(fold),
    ...(pause && {
      pause: { reason: pause.reason, message: pause.error.message, actions: pause.actions },
    }),
    ...(due !== undefined && { due }),
  }
}

/** How a run ended. */
export function endOf(fold: Fold): RunEndEvent {
  const { status, result, reason } = shownFold(fold)
  return {
    status,
    ...(status === 'done' && { result: encodeValue(result) }),
    ...(reason !== undefined && { reason }),
  }
}

/** The questions that wait for an answer. */
export function asksOf(fold: Fold): RunStatusEvent['asks'] {
  return openAsks(shownFold(fold)).map(({ digest, body: { path, question, due } }) => ({
    ask: digest,
    path,
    question,
    ...(due !== undefined && { due }),
  }))
}
