import { WaystoneError, type WireError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Outcome } from '../log/bodies.ts'
import type { TurnRecord } from '../log/fold.ts'
import type { Value } from '../state/codec.ts'
import type { TurnEnd } from './agent.ts'
import { familyOf, pathOf, type Call } from './call.ts'

/** How an attempt at a turn ended. */
export type AttemptEnd =
  | { readonly type: 'returned'; readonly end: TurnEnd; readonly state: Value }
  /** The turn threw; `drop` is the failed record the error came from, which a retry runs again. */
  | { readonly type: 'threw'; readonly error: unknown; readonly drop: Digest | undefined }
  /** An interrupt was delivered and the turn did not catch it: its state is kept. */
  | { readonly type: 'interrupted'; readonly state: Value }
  | { readonly type: 'diverged'; readonly path: string; readonly expected: string; readonly found: string }
  | { readonly type: 'open'; readonly path: string }
  | { readonly type: 'outside' }
  /**
   * Nothing runs, and a person has to decide about this effect. `unkept`: it happened, and this is why its result is not kept.
   * `otherKey`: its start was damaged, and it may be known by this one.
   */
  | {
      readonly type: 'unknown'
      readonly path: string
      readonly start: Digest
      readonly key: string
      readonly otherKey?: string
      readonly unkept?: WireError
    }
  /** Nothing runs, and the budget does not allow what the turn calls for. */
  | { readonly type: 'spent'; readonly error: WaystoneError }
  /** The host may not or cannot write any more. */
  | { readonly type: 'lost'; readonly error: unknown }
  | { readonly type: 'given up' }
  /** Of a rehearsal: every record was delivered, and nothing differed. `open`: the calls that wait for theirs. */
  | {
      readonly type: 'caught up'
      readonly open: readonly Pick<Call, 'path' | 'family' | 'start' | 'input'>[]
    }

/** What a record delivers to its call. */
export function outcomeOf(record: TurnRecord): Outcome {
  switch (record.kind) {
    case 'step':
    case 'once':
    case 'join':
      return record.body.outcome
    case 'answer': {
      const { answer } = record.body
      return answer.status === 'expired'
        ? { value: { status: 'expired' } }
        : { value: { status: 'answered', value: answer.value, by: answer.by } }
    }
    case 'receive':
      return { value: record.body.value }
    case 'drain':
      return { value: record.body.items.map(({ value }) => value) }
    case 'spawn': {
      const { child, agent, given, attempts, due, path, at, error } = record.body
      if (error) return { error }
      return { value: { run: child, agent, given, attempts, path, due: due ?? null, ...(at ? { at } : {}) } }
    }
    case 'race':
      return { value: record.body.winner }
    default:
      return { value: { $: 'undefined' } }
  }
}

/** A record in words. */
export function describe(record: TurnRecord): string {
  return `${familyOf(record) ?? record.kind} "${pathOf(record)}"`
}

/** A name that its scope has used. */
export function keyTaken(path: string): WaystoneError {
  return new WaystoneError(
    'key_taken',
    `"${path}" was called already in this turn: give each call in a scope a name of its own`,
    { path },
  )
}

/** What a branch that lost a race is told. */
export function lostRace(path: string): WaystoneError {
  return new WaystoneError('cancelled', `"${path}" is in a branch that lost a race`, { path })
}

/** A turn that should have ended. */
export function tooManyCalls(turn: number): WaystoneError {
  return new WaystoneError(
    'limit_exceeded',
    `turn ${String(turn)} made ${String(limits.turnRecordsMax)} calls, which is the limit: end it with next() and go on in another`,
  )
}

/** A turn that returned something else than an end. */
export function badEnd(agent: string, end: unknown): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `a turn of ${agent} returned ${JSON.stringify(end)}: return next(), done(result) or fail(reason)`,
  )
}
