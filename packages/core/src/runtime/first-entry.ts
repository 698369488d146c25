import { fromWire, toWire, WaystoneError } from '../errors.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { budgetOf, type BudgetOption } from '../engine/budget-of.ts'
import type { ChildStart } from '../engine/run-child.ts'
import type {
  Bodies,
  CarriedRecord,
  CheckpointBody,
  EffectAfter,
  RunIdentity,
  Written,
} from '../log/bodies.ts'
import { allowed } from '../log/budget.ts'
import type { Fold } from '../log/fold.ts'
import { isSealed } from '../log/public-body.ts'
import type { RunId } from '../ids.ts'
import type { Place } from '../ports/log-store.ts'
import { decodeValue, encodeValue } from '../state/codec.ts'
import type { Json } from '../json.ts'
import { agentUnknown, configDigest } from './open-turn.ts'

/** Of a child that was started at the edge, should it move to a device: that counts as gone after so long, and the run goes on there. */
const childLeaseMs = 30_000

/** What happens to a run whose owner is gone, and when an owner counts as gone. */
export interface GonePolicy {
  readonly whenGone: 'offer' | 'edge'
  readonly leaseMs: number
}

/** What a fork changes, in encoded form. */
export interface ForkChanges {
  /** Another state; the turn at the checkpoint begins anew. */
  readonly state?: Json
  /** Another input. At entry 0 `initial` makes the state of it; later it stands beside the state, which stays as it is. */
  readonly input?: Json
  /** What the fork may use from its beginning on; limits that are not named stay. */
  readonly budget?: BudgetOption
}

/** Who writes a first entry: where, and what it says of itself. */
export interface Writer {
  readonly place: Place
  readonly written: Written
}

/** The first entry of a new run. Throws `value_refused` for an input or state that cannot be kept. */
export function startEntry(
  agent: AnyAgent,
  input: unknown,
  { place, written }: Writer,
  policy: GonePolicy & { readonly budget?: BudgetOption; readonly parent?: RunId; readonly depth?: number },
): Bodies['start'] {
  const encoded = encodeValue(input, { where: 'input' })
  const { budget, parent, depth, ...gone } = policy
  return {
    ...identity(agent, encoded, place, gone),
    ...written,
    state: initialState(agent, input),
    budget: budgetOf({ ...agent.budget, ...budget }),
    ...(parent === undefined ? {} : { parent }),
    ...(depth === undefined ? {} : { depth }),
  }
}

/**
 * The first entry of a child that is started at the edge. Throws `agent_unknown`, and what its agent throws, which is the
 * child's fault as a step's would be.
 */
export function childEntry(
  agents: readonly AnyAgent[],
  {
    run,
    parent,
    depth,
    agent: name,
    input,
  }: Pick<ChildStart, 'run' | 'parent' | 'depth' | 'agent' | 'input'>,
  written: Written,
): Bodies['start'] {
  const agent = agents.find((one) => one.name === name)
  if (agent === undefined)
    throw new WaystoneError('agent_unknown', `agent "${name}" is not registered at the edge`, { run })
  const policy = { whenGone: 'edge', leaseMs: childLeaseMs, parent, depth } as const
  try {
    return startEntry(agent, decodeValue(input), { place: 'edge', written }, policy)
  } catch (error) {
    throw fromWire(toWire(error, 'step_failed'))
  }
}

/** What an agent makes of an input, encoded. Throws `value_refused` when that cannot be kept. */
function initialState(agent: AnyAgent, input: unknown): Json {
  const state = agent.initial(input as never)
  if (typeof state === 'object' && state !== null && 'then' in state && typeof state.then === 'function') {
    throw new WaystoneError(
      'input_refused',
      `\`initial\` of agent ${agent.name} returned a promise: it must depend on nothing but the input`,
    )
  }
  return encodeValue(state, { where: 'state' })
}

/** The first entry of a fork of `fold`; `now` is the source at its head. */
export function forkEntry(
  fold: Fold,
  now: Fold,
  agent: AnyAgent | undefined,
  { place, written }: Writer,
  changes: ForkChanges = {},
): Bodies['fork'] {
  const { version, config, whenGone, leaseMs } = fold.identity
  const { input } = changes
  const anew = input === undefined || changes.state !== undefined ? undefined : anewFrom(fold, agent, input)
  const isOther = agent !== undefined && agent.name !== fold.identity.agent
  return {
    agent: agent?.name ?? fold.identity.agent,
    // The state is the source's, whatever the code here is, unless that makes it; another agent has no version of that.
    version: agent && (isOther || anew !== undefined) ? agent.version : version,
    config: agent ? configDigest(agent) : config,
    input: input ?? fold.identity.input,
    place,
    whenGone,
    leaseMs,
    ...written,
    from: { run: fold.run, ...fold.head },
    artifacts: fold.artifacts,
    ...(isSealed(fold) ? { sealedWith: fold.sealedWith } : {}),
    ...checkpointOf(fold, now, anew ?? changes.state),
    ...forkBudget(fold, agent, changes.budget),
  }
}

/** The state that another input makes where a run began; undefined in the middle of its work, as a fork or an import begins. */
function anewFrom(fold: Fold, agent: AnyAgent | undefined, input: Json): Json | undefined {
  if (fold.head.seq > 0 || fold.from !== undefined) return undefined
  if (agent === undefined) throw agentUnknown(fold)
  return initialState(agent, decodeValue(input))
}

/** A fork goes on with what the checkpoint had left; where nothing was counted, its agent says what it may use. */
function forkBudget(
  { budget }: Fold,
  agent: AnyAgent | undefined,
  changed: BudgetOption | undefined,
): Pick<Bodies['fork'], 'budget'> {
  if (budget && changed === undefined) return { budget }
  const limits = budget?.limits ?? budgetOf(agent?.budget ?? {})
  return { budget: allowed(budget, { ...limits, ...budgetOf(changed ?? {}) }) }
}

/**
 * A checkpoint to go on from, `now` being the run at its head. With another state its turn begins anew: what it had
 * recorded was made from the old one.
 */
export function checkpointOf(fold: Fold, now: Fold, state: Json | undefined): CheckpointBody {
  const { turn, records, effects } = fold
  // An effect that had begun and not ended there is one of those after it: its key belongs to what happened then.
  const ended = new Set(records.flatMap((record) => (record.kind === 'once' ? [record.body.start] : [])))
  const begun = records.filter(({ kind, digest }) => kind === 'once.start' && !ended.has(digest))
  const left = state === undefined ? begun : records
  const after = withLater(effects, now, effectsAfter(left, fold.head.seq, now))
  if (state !== undefined) return { state, turn, records: [], effects: after }
  return {
    state: encodeValue(fold.state),
    turn,
    records: records.filter((record) => !begun.includes(record)).map(carried),
    effects: after,
  }
}

/** What a checkpoint knows of, what the run has come to know since of effects that damage has taken, and what came after. */
function withLater(
  effects: readonly EffectAfter[],
  now: Fold,
  after: readonly EffectAfter[],
): readonly EffectAfter[] {
  const known = new Set([...effects, ...after].map(({ key }) => key))
  return [...effects, ...now.effects.filter(({ key }) => !known.has(key)), ...after]
}

/**
 * The `once` effects that these records start, and those that the run, at its head `now`, has started after entry `since`,
 * with their outcomes: one for each key, however often it was started.
 */
export function effectsAfter(records: Fold['records'], since: number, now: Fold): readonly EffectAfter[] {
  const effects = new Map<string, EffectAfter>()
  for (const record of records) {
    if (record.kind !== 'once.start') continue
    const { path, key } = record.body
    const end = records.find((one) => one.kind === 'once' && one.body.start === record.digest)
    effects.set(key, { path, key, ...(end?.kind === 'once' ? { outcome: end.body.outcome } : {}) })
  }
  for (const { path, key, seq, outcome } of now.onces) {
    if (seq > since || effects.has(key)) effects.set(key, { path, key, ...(outcome ? { outcome } : {}) })
  }
  return [...effects.values()]
}

function carried({ kind, time, digest, body }: Fold['records'][number]): CarriedRecord {
  return { kind, time, digest, body: body as unknown as Json }
}

function identity(agent: AnyAgent, input: Json, place: Place, policy: GonePolicy): RunIdentity {
  return { agent: agent.name, version: agent.version, config: configDigest(agent), input, place, ...policy }
}
