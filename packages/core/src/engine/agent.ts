import { WaystoneError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Place } from '../ports/log-store.ts'
import { budgetOf, type BudgetOption } from './budget-of.ts'
import type { Ctx, InboxSchemas } from './ctx.ts'
import { durationMs, type Duration } from './duration.ts'
import { retentionOf, type RetentionOption } from './retention-of.ts'
import { snapshotPolicyOf, type SnapshotsOption } from './snapshot-policy-of.ts'

declare const provides: unique symbol

/** Something a place must provide before a step can use it: a model client, a tool, a secret. Never stored. */
export interface Need<T> {
  /** The only place that may provide it. */
  readonly at?: Place
  readonly [provides]?: T
}

export type Needs = Readonly<Record<string, Need<unknown>>>

/** What a need's provider is typed as. */
export type Provided<N extends Needs> = { readonly [K in keyof N]: N[K] extends Need<infer T> ? T : never }

/** Declares a need of an agent. `at: 'edge'` keeps it to the edge: a step that uses it waits until the run is there. */
export function need<T>(options: { readonly at?: Place } = {}): Need<T> {
  return options
}

/** How a turn ends. */
export type TurnEnd<Result = unknown> =
  | { readonly type: 'next'; readonly afterMs?: number }
  | { readonly type: 'done'; readonly result: Result }
  | { readonly type: 'fail'; readonly reason: string }

/** The state commits and the next turn begins, at once or `after` a duration. */
export function next(options: { readonly after?: Duration } = {}): TurnEnd<never> {
  return options.after === undefined ? { type: 'next' } : { type: 'next', afterMs: durationMs(options.after) }
}

/** The state commits and the run ends with a result. */
export function done<const Result = undefined>(result?: Result): TurnEnd<Result> {
  return { type: 'done', result: result as Result }
}

/** The state commits and the run ends as failed. To stop and be retried, throw instead: a turn that throws pauses. */
export function fail(reason: string): TurnEnd<never> {
  if (typeof reason !== 'string')
    throw new WaystoneError('input_refused', `\`fail\` takes the reason as a text, found ${typeof reason}`)
  return { type: 'fail', reason }
}

/** What `defineAgent` takes. */
export interface AgentDefinition<Input, State, N extends Needs, I extends InboxSchemas, Result, C = unknown> {
  /** Names the agent in logs and at every place: 1 to 200 characters. */
  readonly name: string
  /** Raise it when the shape of the state or the meaning of the turn changes. */
  readonly version: number
  /** Model, temperature, prompts: hashed into the log so that a change is seen. A value; the turn has it as `ctx.config`. */
  readonly config?: C
  readonly needs?: N
  /** The messages it can receive, each with a Standard Schema. */
  readonly inbox?: I
  /**
   * How a state of an older version becomes one of the version that names it; every version after the first needs one.
   * Runs between two turns. Must depend on nothing but the state, which it may change.
   */
  readonly migrate?: Readonly<Record<number, (state: never) => unknown>>
  /** Whether a `once` waits for its start to be at the edge, when the run has one (default), or goes without. */
  readonly once?: 'wait' | 'go'
  /** How much history is kept. Default: the last 1,000 turns, what is not older than 30 days, and what has a label. */
  readonly retention?: RetentionOption
  /** When snapshots are made although opening a run is quick without. Default: never. */
  readonly snapshots?: SnapshotsOption
  /** What a run may use until it pauses and a person is asked. Default: no limit. A start may say otherwise. */
  readonly budget?: BudgetOption
  /** The state of a new run. Must depend on nothing but the input. */
  readonly initial: (input: Input) => State
  /**
   * One turn. `state` is a draft that commits when the turn ends. Await only `ctx`, or libraries whose every wait is on
   * `ctx`; any other wait belongs into a step. A turn that throws pauses the run.
   */
  readonly turn: (ctx: Ctx<N, I, C>, state: OpenLists<State>) => Promise<TurnEnd<Result>>
}

/** A state in which a list that begins empty, `[]`, can take anything, instead of nothing at all. */
type OpenLists<State> = State extends object
  ? [EmptyLists<State>] extends [never]
    ? State
    : { [K in keyof State]: K extends EmptyLists<State> ? unknown[] : State[K] }
  : State
/** The names of properties that are `never[]`: what TypeScript takes `[]` for. */
type EmptyLists<State> = {
  [K in keyof State]-?: State[K] extends never[] ? (never[] extends State[K] ? K : never) : never
}[keyof State]

/** An agent: a state and a turn, the same value in page, Web Worker and Durable Object. */
export interface Agent<
  Input,
  State,
  N extends Needs,
  I extends InboxSchemas,
  Result,
  C = unknown,
> extends Required<AgentDefinition<Input, State, N, I, Result, C>> {
  readonly provided: Partial<Provided<N>>
  /** The same agent with what this place provides. */
  provide(provided: Partial<Provided<N>>): Agent<Input, State, N, I, Result, C>
}

/** Any agent, whatever its types: what hosts hold. */
export interface AnyAgent {
  readonly name: string
  readonly version: number
  readonly config: unknown
  readonly needs: Needs
  readonly inbox: InboxSchemas
  readonly provided: Readonly<Record<string, unknown>>
  readonly migrate: Readonly<Record<number, (state: never) => unknown>>
  readonly once: 'wait' | 'go'
  readonly retention: RetentionOption
  readonly snapshots: SnapshotsOption
  readonly budget: BudgetOption
  readonly initial: (input: never) => unknown
  readonly turn: (ctx: never, state: never) => Promise<TurnEnd>
}

/** The input an agent is started with. */
export type InputOf<A> = A extends { readonly initial: (input: infer Input) => unknown } ? Input : never
/** The state of an agent. */
export type StateOf<A> = A extends { readonly initial: (input: never) => infer State } ? State : never
/** What a run of an agent ends with. */
export type ResultOf<A> = A extends {
  readonly turn: (ctx: never, state: never) => Promise<TurnEnd<infer Result>>
}
  ? Result
  : never

/**
 * Defines an agent. Throws `input_refused` for a name, version, budget, retention or snapshots that cannot be.
 *
 * @example
 * const counter = defineAgent({
 *   name: 'counter', version: 1,
 *   initial: (input: { upTo: number }) => ({ ...input, count: 0 }),
 *   async turn(ctx, state) {
 *     const add = await ctx.step('add', () => 1)
 *     state.count += add
 *     return state.count < state.upTo ? next() : done(state.count)
 *   },
 * })
 */
export function defineAgent<
  Input,
  State,
  const N extends Needs = Record<never, never>,
  const I extends InboxSchemas = Record<never, never>,
  Result = unknown,
  const C = null,
>(definition: AgentDefinition<Input, State, N, I, Result, C>): Agent<Input, State, N, I, Result, C> {
  const { name, version } = definition
  if (name.length === 0 || name.length > limits.nameCharsMax) {
    throw new WaystoneError(
      'input_refused',
      `an agent's name is 1 to ${String(limits.nameCharsMax)} characters, found ${String(name.length)}`,
    )
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new WaystoneError(
      'input_refused',
      `the version of agent ${name} is a whole number from 1 on, found ${String(version)}`,
    )
  }
  const base = {
    config: null as C,
    needs: {} as N,
    inbox: {} as I,
    migrate: {},
    once: 'wait' as const,
    retention: {},
    snapshots: {},
    budget: {},
    ...definition,
  }
  budgetOf(base.budget)
  snapshotPolicyOf(base.snapshots)
  retentionOf(base.retention)
  const providing = (provided: Partial<Provided<N>>): Agent<Input, State, N, I, Result, C> => ({
    ...base,
    provided,
    provide: (more) => providing({ ...provided, ...more }),
  })
  return providing({})
}
