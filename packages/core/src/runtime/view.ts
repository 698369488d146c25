import type { WireError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { Artifact } from '../engine/artifacts.ts'
import type { EffectAfter, LabelNote } from '../log/bodies.ts'
import type { RunBudget } from '../log/budget.ts'
import type { Fold, Pause } from '../log/fold.ts'
import type { Head, Place, RunStatus } from '../ports/log-store.ts'
import type { Live, SyncState } from '../ports/watch.ts'
import type { Json } from '../json.ts'
import { shareEqual } from '../share-equal.ts'
import { decodeValue, type Value } from '../state/codec.ts'
import { openAsks } from './inbox-entries.ts'

/** A question that waits for an answer. */
export interface OpenAsk {
  /** Names the question in an answer. */
  readonly ask: Digest
  readonly path: string
  readonly question: unknown
  readonly due: number | undefined
}

/** A run as people and programs see it; every part that did not change is the same object as before. */
export interface RunView<State = unknown, Result = unknown> {
  readonly run: RunId
  readonly agent: string
  readonly version: number
  readonly status: RunStatus
  /** The committed state. */
  readonly state: State
  readonly input: unknown
  readonly turn: number
  readonly owner: OwnerId
  readonly place: Place
  readonly epoch: number
  readonly term: number
  readonly head: Head
  readonly started: number
  readonly updated: number
  /** Set once the run is done. */
  readonly result: Result | undefined
  /** Why it failed or was cancelled. */
  readonly reason: string | undefined
  readonly pause: Pause | undefined
  readonly error: WireError | undefined
  readonly asks: readonly OpenAsk[]
  /** The newest of each name. */
  readonly artifacts: readonly Artifact[]
  /** The checkpoints that `ctx.label` has named, oldest first. */
  readonly labels: readonly LabelNote[]
  /** The `once` effects after the checkpoint that this run was forked from or went back to: asked about when reached. */
  readonly effectsAfter: readonly EffectAfter[]
  /** When the next turn begins, in ms since 1970. */
  readonly due: number | undefined
  /** What the run may use and has used; undefined for one from before that was counted. */
  readonly budget: RunBudget | undefined
  readonly live: Live
  /** The text of streams of the open turn, by path. */
  readonly streams: Readonly<Record<string, string>>
  readonly sync: SyncState
  /** Why what came after this could not be read: the run may be further on. It is tried again when the run goes on. */
  readonly unread: WireError | undefined
}

/** What a view is made of, beside the log. */
export interface Around {
  readonly live: Live
  readonly sync: SyncState
  readonly streams: Readonly<Record<string, string>>
  readonly unread: WireError | undefined
}

/** The view of a fold. What has not changed since the view before is the same object. */
export function viewOf(fold: Fold, around: Around, before?: RunView): RunView {
  const {
    identity,
    run,
    state,
    turn,
    owner,
    place,
    epoch,
    term,
    head,
    started,
    updated,
    result,
    reason,
    pause,
    due,
    budget,
  } = fold
  return {
    run,
    agent: identity.agent,
    version: identity.version,
    status: statusOf(fold, around.live),
    state,
    input: inputOf(identity),
    turn,
    owner,
    place,
    epoch,
    term,
    head,
    started,
    updated,
    result,
    reason,
    pause,
    error: pause?.error,
    asks: shareEqual(before?.asks, openAsks(fold).map(askOf)),
    due,
    budget,
    effectsAfter: fold.effects,
    artifacts: fold.artifacts,
    labels: fold.labels,
    ...around,
    live: shareEqual(before?.live, around.live),
  }
}

/** Values that were decoded for views, by what has them in its encoded form. */
const decoded = new WeakMap<object, { readonly value: Value }>()

function decodedOnce(of: object, encoded: Json): Value {
  const known = decoded.get(of) ?? { value: decodeValue(encoded) }
  decoded.set(of, known)
  return known.value
}

function inputOf(identity: Fold['identity']): Value {
  return decodedOnce(identity, identity.input)
}

function askOf(ask: ReturnType<typeof openAsks>[number]): OpenAsk {
  const { path, question, due } = ask.body
  return { ask: ask.digest, path, question: decodedOnce(ask, question), due }
}

/** The status of a run. A log alone cannot say whether anything runs; without word from its host, an open wait means waiting. */
export function statusOf(fold: Fold, live: Live): RunStatus {
  if (fold.status !== 'running') return fold.status
  if (live.phase === 'moving' || live.phase === 'waiting') return live.phase
  if (live.phase !== 'idle') return 'running'
  const last = fold.records.at(-1)?.kind
  return fold.due !== undefined || last === 'ask' || last === 'sleep' ? 'waiting' : 'running'
}
