import { decodeValue, encodeValue, type Fold, type Live, type RunStatus } from '@waystone/core'

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
export function statusOf(fold: Fold, live: Live): RunStatusEvent {
  const { run, identity, turn, head, owner, pause, due } = fold
  return {
    run,
    agent: identity.agent,
    status: wordOf(fold, live),
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
export function endOf({ status, result, reason }: Fold): RunEndEvent {
  return {
    status,
    ...(status === 'done' && { result: encodeValue(result) }),
    ...(reason !== undefined && { reason }),
  }
}

/** A log alone cannot say whether anything runs: without word from the host, an open wait means waiting. */
function wordOf(fold: Fold, live: Live): RunStatus {
  if (fold.status !== 'running') return fold.status
  if (live.phase === 'moving' || live.phase === 'waiting') return live.phase
  if (live.phase !== 'idle') return 'running'
  const last = fold.records.at(-1)?.kind
  return fold.due !== undefined || last === 'ask' || last === 'sleep' ? 'waiting' : 'running'
}

function asksOf(fold: Fold): RunStatusEvent['asks'] {
  const answered = new Set(
    fold.records.flatMap((record) => (record.kind === 'answer' ? [record.body.ask] : [])),
  )
  return fold.records.flatMap((record) => {
    if (record.kind !== 'ask' || answered.has(record.digest)) return []
    const { path, question, due } = record.body
    return [
      {
        ask: record.digest,
        path,
        question: encodeValue(decodeValue(question)),
        ...(due !== undefined && { due }),
      },
    ]
  })
}
