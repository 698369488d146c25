import { toWire, WaystoneError } from '../errors.ts'
import type { AnyAgent, TurnEnd } from '../engine/agent.ts'
import type { AttemptEnd } from '../engine/attempt-end.ts'
import { replayRules } from '../engine/attempt.ts'
import { prove } from '../engine/rehearsal.ts'
import type { EntryDraft, Next } from '../log/bodies.ts'
import { nameResults } from '../log/delta-refs.ts'
import type { Fold } from '../log/fold.ts'
import type { Clock } from '../ports/clock.ts'
import type { Place } from '../ports/log-store.ts'
import { encodeValue } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import { configDigest, openTurn } from './open-turn.ts'

/** A turn whose state is to be kept. */
export type TurnEnded = Extract<AttemptEnd, { type: 'returned' | 'interrupted' }>

/** The entries that end a turn; `fold` has all of its records. Throws `value_refused` for a state or result that cannot be kept. */
export function commitDrafts(fold: Fold, end: TurnEnded, now: number): readonly EntryDraft[] {
  const next: Next = end.type === 'returned' ? nextOf(end.end, now) : { type: 'next' }
  const { version } = fold.identity
  const delta = nameResults(diff(fold.state, end.state), fold.records)
  const commit = {
    kind: 'commit',
    body: { turn: fold.turn, rules: replayRules, version, delta, next },
  } as const
  return end.type === 'returned' ? [commit] : [commit, interruptedPause(fold)]
}

function nextOf(end: TurnEnd, now: number): Next {
  if (end.type === 'done')
    return { type: 'done', result: encodeValue(end.result, { where: 'the result of the run' }) }
  if (end.type === 'fail') return end
  return end.afterMs === undefined ? { type: 'next' } : { type: 'next', due: now + end.afterMs }
}

function interruptedPause(fold: Fold): EntryDraft {
  const error = toWire(
    new WaystoneError('interrupted', `turn ${String(fold.turn)} was interrupted; what it had is kept`, {
      run: fold.run,
    }),
  )
  return {
    kind: 'pause',
    body: { reason: 'interrupted', error, actions: ['retry', 'rewind', 'fork', 'cancel'] },
  }
}

/**
 * Replays a turn that has just ended, and compares: the only check that sees a turn's own waits, clocks and dice before
 * they matter. Returns the error to pause with, or undefined when both came to the same.
 */
export async function verifyTurn(
  fold: Fold,
  agent: AnyAgent,
  end: TurnEnded,
  ports: { readonly clock: Clock; readonly place: Place },
): Promise<WaystoneError | undefined> {
  const turn = openTurn(fold, configDigest(agent))
  const again = await prove(agent, turn, ports)
  const refuse = (why: string, path?: string): WaystoneError => notReplayable(fold, why, path)
  if (again.type === 'diverged') return refuse(`expected ${again.expected}, found ${again.found}`, again.path)
  if (again.type === 'caught up') return refuse('the replay makes a call that was not recorded')
  if (again.type === 'threw') return refuse(`the replay threw ${String(again.error)}`)
  if (again.type !== end.type) return refuse(`the turn ended as "${end.type}", its replay as "${again.type}"`)
  const [difference] = diff(end.state, (again as TurnEnded).state)
  if (difference) return refuse(`the state differs at ${JSON.stringify(difference[1])}`)
  if (end.type === 'interrupted' || again.type !== 'returned') return undefined
  const ends = [end.end, again.end].map((one) => JSON.stringify(encodeValue(one)))
  return ends[0] === ends[1]
    ? undefined
    : refuse(`it returned ${String(ends[0])}, its replay ${String(ends[1])}`)
}

function notReplayable(fold: Fold, why: string, path: string | undefined): WaystoneError {
  return new WaystoneError(
    'not_replayable',
    `turn ${String(fold.turn)} of run ${fold.run} comes to another end when it is replayed: ${why}. ` +
      'Whatever differs between two runs of the same code (the clock, chance, a fetch, a variable outside) belongs into ctx.step, ctx.now, ctx.random or ctx.uuid',
    {
      run: fold.run,
      ...(path === undefined ? {} : { path }),
      actions: ['retry', 'restart', 'fork', 'cancel'],
    },
  )
}
