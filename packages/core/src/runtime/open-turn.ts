import { WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { limitReached } from '../log/budget.ts'
import type { Fold } from '../log/fold.ts'
import type { AnyAgent } from '../engine/agent.ts'
import type { AttemptEnd } from '../engine/attempt-end.ts'
import type { OpenTurn } from '../engine/attempt-ports.ts'
import type { Live } from '../ports/watch.ts'
import { encodeValue } from '../state/codec.ts'
import { digestBytes, utf8 } from '../state/digest.ts'

/** The open turn of a fold, as an attempt needs it. */
export function openTurn(fold: Fold, config: Digest): OpenTurn {
  const { run, depth, turn, origin, state, records, effects, turnBegan } = fold
  return { run, depth, turn, origin, config, state, records, effects, began: turnBegan }
}

/** SHA-256 of an agent's configuration. Throws `value_refused` when it is not a value. */
export function configDigest(agent: AnyAgent): Digest {
  return digestBytes(
    utf8(JSON.stringify(encodeValue(agent.config, { where: `the config of agent ${agent.name}` }))),
  ) as Digest
}

/** The names of the streams that the open turn's steps have written. */
export function streamsOf(fold: Fold): readonly string[] {
  return fold.records.flatMap((record) =>
    record.kind === 'step' && record.body.stream ? [record.body.stream.stream] : [],
  )
}

/** The streams that are written now, by what a host tells. */
export function openStreams({ calls }: Live): readonly string[] {
  return calls.flatMap(({ kind, path }) => (kind === 'stream' ? [path] : []))
}

/** The turn of a stream: it is named by the path of its step, which begins with that number. */
export function turnOfStream(stream: string): number {
  return Number(stream.split('/')[0])
}

/** No agent of this name is at hand. */
export function agentUnknown(fold: Fold): WaystoneError {
  const { agent } = fold.identity
  return new WaystoneError(
    'agent_unknown',
    `run ${fold.run} is of agent "${agent}", which is not registered here: pass it in \`agents\``,
    {
      run: fold.run,
      details: { agent },
      actions: ['retry', 'move'],
    },
  )
}

/** The code asks for something else than what was recorded. */
export function divergence(fold: Fold, end: Extract<AttemptEnd, { type: 'diverged' }>): WaystoneError {
  return new WaystoneError(
    'divergence',
    `turn ${String(fold.turn)} of run ${fold.run} cannot be replayed by this code: expected ${end.expected}, found ${end.found}. ` +
      `Restore the code the turn began with and retry, restart the turn with this code, or fork the run where the turn began`,
    {
      run: fold.run,
      path: end.path,
      details: { expected: end.expected, found: end.found },
      actions: ['retry', 'restart', 'fork', 'cancel'],
    },
  )
}

/** A turn or branch ended while a call of its own was open. */
export function callOpen(fold: Fold, path: string): WaystoneError {
  return new WaystoneError(
    'call_open',
    `turn ${String(fold.turn)} of run ${fold.run} ended while "${path}" was open: await every call`,
    {
      run: fold.run,
      path,
      actions: ['retry', 'fork', 'cancel'],
    },
  )
}

/** A turn waits, but for nothing that ctx knows. */
export function waitsOutside(fold: Fold): WaystoneError {
  return new WaystoneError(
    'waits_outside',
    `turn ${String(fold.turn)} of run ${fold.run} waits for something outside ctx: put the wait into a step, or use ctx.sleep`,
    { run: fold.run, actions: ['retry', 'fork', 'cancel'] },
  )
}

/** A run has used what it may, with `begun` steps that are not recorded yet; undefined as long as it has not. */
export function budgetSpent({ run, budget }: Fold, begun: number): WaystoneError | undefined {
  const reached = budget && limitReached(budget, begun)
  if (reached === undefined) return undefined
  const { limit, expected, found } = reached
  const what = { steps: 'steps', ms: 'ms of work', cost: 'of cost' }[limit]
  return new WaystoneError(
    'budget_spent',
    `run ${run} has used its budget: it may use ${String(expected)} ${what}, and has used ${String(found)}. ` +
      'Nothing more was started. `retry` allows it as much again, `retry` with a budget so much',
    {
      run,
      details: { limit: limit === 'ms' ? 'time' : limit, expected, found },
      actions: ['retry', 'fork', 'cancel'],
    },
  )
}

/** An effect was started and nobody knows how it ended. */
export function unknownOutcome(fold: Fold, end: Extract<AttemptEnd, { type: 'unknown' }>): WaystoneError {
  const { otherKey } = end
  const other = otherKey === undefined ? '' : ` and by ${otherKey}, since its start was damaged`
  return new WaystoneError(
    'outcome_unknown',
    end.unkept === undefined
      ? `run ${fold.run} started "${end.path}" and does not know how it ended. Look it up by its key ${end.key}${other}, then decide: done, again or failed`
      : `run ${fold.run} has carried out "${end.path}" (key ${end.key}), but cannot keep its result: ${end.unkept.message}. Decide: done, with a value that stands for it`,
    {
      run: fold.run,
      path: end.path,
      details: { start: end.start, key: end.key, ...(otherKey === undefined ? {} : { otherKey }) },
      actions: ['decide', 'fork', 'cancel'],
    },
  )
}
