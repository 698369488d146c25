import { assert, WaystoneError, type Action, type WireError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { Head, Place, RunStatus, RunSummary } from '../ports/log-store.ts'
import { decodeValue, type Value } from '../state/codec.ts'
import { applyDelta, parseDelta } from '../state/delta.ts'
import type {
  Bodies,
  CarriedRecord,
  CheckpointBody,
  EffectAfter,
  PauseReason,
  RunIdentity,
} from './bodies.ts'
import type { Entry } from './entry.ts'

/** An entry of the open turn, as replay needs it. */
export type TurnRecord = {
  [K in Entry['kind']]: {
    readonly kind: K
    readonly body: Extract<Entry, { kind: K }>['body']
    readonly time: number
    readonly digest: Digest
    /** Who appended it; undefined for a record that a fork has carried along. */
    readonly owner: OwnerId | undefined
    /** Delivered when it is asked for, but replay does not insist on it: it lies after a record that runs again. */
    readonly inert: boolean
  }
}[Entry['kind']]

/** Why a run stands still until somebody acts, and what they can do. */
export interface Pause {
  readonly reason: PauseReason
  readonly error: WireError
  readonly actions: readonly Action[]
  readonly drop?: Digest
}

/**
 * A run as its log tells it up to `head`. Values are immutable and shared between folds; `consumed` is one growing
 * set shared by all folds of one log.
 */
export interface Fold {
  readonly run: RunId
  readonly head: Head
  readonly epoch: number
  readonly term: number
  readonly owner: OwnerId
  readonly place: Place
  readonly identity: RunIdentity
  /** Digest of the newest start, fork or rewind entry: part of every idempotency key. */
  readonly origin: Digest
  readonly started: number
  readonly updated: number
  /** The time of the entry that the open turn follows. */
  readonly turnBegan: number
  readonly state: Value
  /** The number of the open turn, which is the number of commits. */
  readonly turn: number
  readonly records: readonly TurnRecord[]
  /** `waiting` and `moving` are for the host to say; a log alone says running. */
  readonly status: Exclude<RunStatus, 'waiting' | 'moving'>
  /** When the next turn may start. */
  readonly due: number | undefined
  readonly pause: Pause | undefined
  readonly result: Value
  readonly reason: string | undefined
  readonly consumed: Set<string>
  /** Set while the run is on its way back. */
  readonly unwind: Bodies['unwind'] | undefined
  readonly effects: readonly EffectAfter[]
}

/** True when nothing can be appended to a run any more. */
export function isEnded({ status }: { readonly status: RunStatus }): boolean {
  return status === 'done' || status === 'failed' || status === 'cancelled'
}

/** What a list shows of a run. */
export function summaryOf(fold: Fold, live?: 'waiting'): RunSummary {
  return {
    run: fold.run,
    agent: fold.identity.agent,
    status: fold.status === 'running' && live ? live : fold.status,
    owner: fold.owner,
    place: fold.place,
    started: fold.started,
    updated: fold.updated,
  }
}

/**
 * Adds one entry to a fold; undefined stands for the empty log. Throws `log_damaged` when it does not follow. `state` is
 * what a commit makes of the state, for those who know it because they made its delta: it is not applied then.
 */
export function foldEntry(fold: Fold | undefined, entry: Entry, state?: Value): Fold {
  if (fold === undefined) return firstFold(entry)
  checkFollows(fold, entry)
  const next: Fold = {
    ...fold,
    head: { seq: entry.seq, digest: entry.digest },
    epoch: entry.epoch,
    term: entry.term,
    owner: entry.owner,
    updated: entry.time,
  }
  switch (entry.kind) {
    case 'start':
    case 'fork':
      throw damaged(fold.run, `entry ${String(entry.seq)} starts a run that has started`)
    case 'open':
      return { ...next, place: entry.body.place }
    case 'claim':
      return { ...next, place: entry.body.place }
    case 'turn':
      return next
    case 'refuse':
      fold.consumed.add(entry.body.id)
      return { ...next, unwind: fold.unwind?.id === entry.body.id ? undefined : fold.unwind }
    case 'decide':
      fold.consumed.add(entry.body.id)
      return withRecord({ ...next, status: 'running', pause: undefined }, entry)
    case 'interrupt':
      fold.consumed.add(entry.body.id)
      return withRecord(next, entry)
    case 'receive':
      fold.consumed.add(entry.body.id)
      return withRecord(next, entry)
    case 'answer':
      if (entry.body.answer.status === 'answered') fold.consumed.add(entry.body.answer.id)
      return withRecord(next, entry)
    case 'drain':
      for (const { id } of entry.body.items) fold.consumed.add(id)
      return withRecord(next, entry)
    case 'race':
    case 'label':
    case 'spawn':
    case 'join':
    case 'step':
    case 'once.start':
    case 'once':
    case 'ask':
    case 'sleep':
    case 'wake':
      return withRecord(next, entry)
    case 'commit':
      return afterCommit(next, entry, state)
    case 'pause':
      return { ...next, status: 'paused', pause: entry.body }
    case 'retry':
      fold.consumed.add(entry.body.id)
      return {
        ...next,
        status: 'running',
        pause: undefined,
        records: withoutDropped(fold.records, entry.body.drop),
      }
    case 'unwind':
      fold.consumed.add(entry.body.id)
      return { ...next, status: 'running', pause: undefined, due: undefined, unwind: entry.body }
    case 'undo':
      return next
    case 'rewind':
      return {
        ...next,
        ...atCheckpoint(entry.body),
        identity: { ...fold.identity, version: entry.body.version },
        origin: entry.digest,
        turnBegan: entry.time,
        unwind: undefined,
      }
    case 'migrate':
      return {
        ...next,
        identity: { ...fold.identity, version: entry.body.to, config: entry.body.config },
        state: state ?? applyDelta(fold.state, parseDelta(entry.body.delta)),
        turnBegan: entry.time,
      }
    case 'cancel':
      fold.consumed.add(entry.body.id)
      return {
        ...next,
        unwind: undefined,
        status: 'cancelled',
        pause: undefined,
        due: undefined,
        reason: entry.body.reason,
      }
    default:
      // A kind of a later Waystone: a host that does not own the run stores and forwards it.
      return next
  }
}

function firstFold(entry: Entry): Fold {
  if ((entry.kind !== 'start' && entry.kind !== 'fork') || entry.seq !== 0) {
    throw damaged(
      entry.run,
      `expected it to begin with a start or fork entry, found entry ${String(entry.seq)} "${entry.kind}"`,
    )
  }
  const { agent, version, config, input, place, whenGone, leaseMs } = entry.body
  return {
    run: entry.run,
    head: { seq: 0, digest: entry.digest },
    epoch: entry.epoch,
    term: entry.term,
    owner: entry.owner,
    place,
    identity: { agent, version, config, input, place, whenGone, leaseMs },
    origin: entry.digest,
    started: entry.time,
    updated: entry.time,
    turnBegan: entry.time,
    ...atCheckpoint(entry.kind === 'fork' ? entry.body : { ...atStart, state: entry.body.state }),
    result: undefined,
    reason: undefined,
    consumed: new Set(),
    unwind: undefined,
  }
}

const atStart = { turn: 0, records: [], effects: [] } as const

function atCheckpoint({ state, turn, records, effects }: CheckpointBody) {
  return {
    state: decodeValue(state),
    turn,
    records: records.map(carriedRecord),
    effects,
    status: 'running',
    due: undefined,
    pause: undefined,
  } as const
}

function afterCommit(fold: Fold, entry: Extract<Entry, { kind: 'commit' }>, state?: Value): Fold {
  const { delta, next, turn } = entry.body
  if (turn !== fold.turn)
    throw damaged(
      fold.run,
      `entry ${String(entry.seq)} commits turn ${String(turn)}, expected ${String(fold.turn)}`,
    )
  const committed = {
    ...fold,
    state: state ?? applyDelta(fold.state, parseDelta(delta)),
    turn: turn + 1,
    turnBegan: entry.time,
    records: [],
    due: next.type === 'next' ? next.due : undefined,
  }
  if (next.type === 'done') return { ...committed, status: 'done', result: decodeValue(next.result) }
  if (next.type === 'fail') return { ...committed, status: 'failed', reason: next.reason }
  return committed
}

function withRecord(fold: Fold, entry: Entry): Fold {
  const { kind, body, time, digest, owner } = entry
  return {
    ...fold,
    records: [...fold.records, { kind, body, time, digest, owner, inert: false } as TurnRecord],
  }
}

/** The beginnings of the paths in which nothing goes on after this record: those of a race's losers. */
export function lostScopes(record: TurnRecord): readonly string[] {
  if (record.kind !== 'race') return []
  const { path, losers } = record.body
  return losers.map((loser) => `${path}/${loser}/`)
}

function withoutDropped(records: readonly TurnRecord[], drop: Digest | undefined): readonly TurnRecord[] {
  const at = drop === undefined ? -1 : records.findIndex((record) => record.digest === drop)
  if (at < 0) return records
  return [...records.slice(0, at), ...records.slice(at + 1).map((record) => ({ ...record, inert: true }))]
}

function carriedRecord(record: CarriedRecord): TurnRecord {
  return { ...record, owner: undefined, inert: false } as unknown as TurnRecord
}

function checkFollows(fold: Fold, entry: Entry): void {
  assert(entry.run === fold.run, `an entry of run ${entry.run} was folded into run ${fold.run}`)
  if (entry.seq !== fold.head.seq + 1 || entry.prev !== fold.head.digest) {
    throw damaged(
      fold.run,
      `expected entry ${String(fold.head.seq + 1)} after ${fold.head.digest}, found entry ${String(entry.seq)}`,
    )
  }
  const claims = entry.kind === 'claim'
  const opens = entry.kind === 'open'
  if (entry.epoch !== fold.epoch + (claims ? 1 : 0) || (!claims && entry.owner !== fold.owner)) {
    throw damaged(fold.run, `entry ${String(entry.seq)} changes the owner without a claim`)
  }
  if (entry.term !== fold.term + (opens ? 1 : 0))
    throw damaged(fold.run, `entry ${String(entry.seq)} changes the term without opening`)
  if (isEnded(fold) && !claims && !opens)
    throw damaged(fold.run, `entry ${String(entry.seq)} follows the end of the run`)
}

function damaged(run: RunId, why: string): WaystoneError {
  return new WaystoneError('log_damaged', `the log of run ${run} is damaged: ${why}`, {
    run,
    actions: ['reload'],
  })
}
