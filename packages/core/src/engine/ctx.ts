import type { Artifact, ArtifactContent, ByteRange } from './artifacts.ts'
import type { Json } from '../json.ts'
import type { Digest, RunId } from '../ids.ts'
import type { AnyAgent, InputOf, Needs, Provided, ResultOf } from './agent.ts'
import type { BreakerOptions } from './breakers.ts'
import type { Duration } from './duration.ts'

/** The part of Standard Schema (standardschema.dev, version 1) that Waystone calls; zod, valibot and arktype have it. */
export interface Schema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

export type InboxSchemas = Readonly<Record<string, Schema>>
export type SchemaOutput<S> = S extends Schema<infer Output> ? Output : never

/** What the body of a step is given. */
export interface StepTools {
  /** Fires when the body should stop: time-out, interruption, or because the run is no longer here. */
  readonly signal: AbortSignal
  /** The same at every attempt of this step of this run: send it along with an effect. */
  readonly idempotencyKey: string
  /** 1 for the first attempt since this host opened the run. */
  readonly attempt: number
  /**
   * Reports what this body has cost, in whatever unit the run's budget counts: added to what was reported before, recorded
   * with the outcome and counted with it, once. Throws `input_refused` for less than 0.
   */
  cost(amount: number): void
  /** Bytes of an artifact, fetched when they are not here; the caller owns them. Rejects with `blob_missing`. */
  read(artifact: Artifact, range?: ByteRange): Promise<Uint8Array>
}

/** What the body of a streamed step is given. */
export interface StreamTools extends StepTools {
  readonly out: StreamOut
}

/** Text that readers see as it is written, and that survives a crash of the body that writes it. */
export interface StreamOut {
  /** What was written so far, by an attempt before a crash too: go on after it, or `reset`. */
  readonly text: string
  /** Adds text. Await it: it resolves when readers have kept up. Rejects with `limit_exceeded`. */
  write(text: string): Promise<void>
  /** Takes back all that was written: readers begin again. */
  reset(): Promise<void>
}

/**
 * What of an outcome is left out of the log. The turn gets what was recorded, live as on replay: a secret that is needed
 * later is asked for anew, through a need, and never a result.
 */
export interface RedactOptions<T> {
  /**
   * Makes of a result what is recorded; say its type where it is taken: `redact: (login: Login) => ({ ...login, token: '' })`.
   * Pure, and of the same type. When it throws, a step fails, and of a `once`, which has happened, a person decides. With it
   * errors of the body keep their code and lose what they say, unless `redactError` says it.
   */
  redact?(value: NoInfer<T>): NoInfer<T>
  /** The message that is recorded of an error; its cause and details are not. */
  redactError?(error: unknown): string
}

export interface StepOptions {
  /** Needs that must be here before the body starts; without them the step waits for a place that has them. */
  readonly needs?: readonly string[]
  /** How often the body is tried before its error is recorded: from 1 on, or `Infinity`. Default 3. */
  readonly attempts?: number
  /** The wait after the first failure; it doubles, up to `backoffMax`. Default 500 ms. */
  readonly backoff?: Duration
  /** The longest wait between two tries. Default 60 s. */
  readonly backoffMax?: Duration
  /** False for an error that trying again cannot mend. An error says so itself by `retryable: false`. */
  readonly retryIf?: (error: unknown) => boolean
  /** A circuit breaker that all steps of this host share by its name: while it is open the step waits. */
  readonly breaker?: string | BreakerOptions
  /** The body is told to stop, and counts as failed, after this. */
  readonly timeout?: Duration
  /** What the step depends on: when a replay finds it changed, the run pauses instead of using the record. */
  readonly input?: unknown
}

/** What an `undo` is given. */
export interface UndoTools<T = unknown> extends StepTools {
  /** What the effect gave. */
  readonly value: T
}

export interface OnceOptions<T> extends RedactOptions<T> {
  /** After this the call is aborted and its outcome unknown. */
  readonly timeout: Duration
  readonly needs?: readonly string[]
  readonly input?: unknown
  /** Asks the outside whether the effect with this key happened. */
  readonly verify?: (
    tools: StepTools,
  ) => Promise<{ readonly done: true; readonly value: T } | { readonly done: false }>
  /**
   * Takes the effect back, when its run is rewound or cancelled so. Tried again until it succeeds: it has to tell a
   * repetition by its key. `value` is what the effect gave; say its type where it is taken:
   * `undo: ({ value }: UndoTools<Booking>) => ...`. With `redact` that is what was recorded, and of what `undo` gives
   * nothing is.
   */
  undo?(tools: UndoTools): unknown
  /** What to do about an unknown outcome that `verify` cannot tell. Default `ask`: the run pauses and a person decides. */
  readonly onUnknown?: 'ask' | 'retry' | 'fail' | { readonly assumeDone: () => T }
}

export interface AskOptions<T> {
  /** What people are shown: any value. */
  readonly question: unknown
  /** Checks answers; one that does not fit is refused and the question stays open. */
  readonly schema?: Schema<T>
  readonly deadline?: Duration
}

/** The outcome of a question. */
export type Answer<T> =
  { readonly status: 'answered'; readonly value: T; readonly by: string } | { readonly status: 'expired' }

export interface MapOptions<T> {
  /** Names an item, so that records find it again; unique within the map. */
  readonly key: (item: T, index: number) => string
  /** How many items are worked on at a time: from 1 on, or `Infinity`. Default 8. */
  readonly concurrency?: number
}

export interface SpawnOptions {
  /** How often it is started anew when it fails. Default 1: never. */
  readonly attempts?: number
  /** After this it is cancelled, and `join` rejects. */
  readonly deadline?: Duration
  /**
   * Where it is to run; by default where its parent runs when it is started. `edge`: a browser starts it and moves it there
   * as soon as the edge takes it; until then, and where there is none, it goes on in the browser. `browser`: at the edge the
   * call waits until the parent is moved to one.
   */
  readonly at?: 'edge' | 'browser'
}

/** A run that a turn has started. */
export interface Child<T = unknown> {
  readonly run: RunId
  readonly agent: string
  readonly path: string
  readonly origin: Digest
  readonly given: Json
  readonly attempts: number
  readonly due: number | null
  readonly at?: 'edge' | 'browser'
  /** Only a type: what `join` gives. */
  readonly result?: T
}

export interface ScopeOptions {
  readonly sequential?: boolean
}

/** The winner of a race: its name and what it returned. */
export type Won<B> = {
  [K in keyof B & string]: {
    readonly name: K
    readonly value: B[K] extends (...args: never) => Promise<infer R> ? R : never
  }
}[keyof B & string]

type Body<T> = ((tools: StepTools) => T | Promise<T>) & Kept<T>
type StreamBody<T> = ((tools: StreamTools) => T | Promise<T>) & Kept<T>

/**
 * Refuses, by type, results that no record can hold; the codec refuses them, too, and what is hidden deeper. A Response
 * or a Blob is known by `arrayBuffer`, a stream by `getReader`: core has no types of a platform.
 */
type Kept<T> = [Extract<T, Unkeepable>] extends [never]
  ? unknown
  : { readonly 'this result cannot be recorded: return its text, bytes or data': never }
type Unkeepable =
  | ((...args: never[]) => unknown)
  | symbol
  | { readonly arrayBuffer: () => unknown }
  | { readonly getReader: (...args: never[]) => unknown }
type Branches<C> = Readonly<Record<string, (ctx: C) => Promise<unknown>>>

/**
 * What a turn acts through. Every call is named, and known by its path of names, so that its outcome is found again
 * after a crash. A call with a name that its scope has used throws `key_taken`.
 */
export interface Ctx<
  N extends Needs = Record<never, never>,
  I extends InboxSchemas = Record<never, never>,
  C = unknown,
> {
  /** What this place provides. For use inside the bodies of steps. */
  readonly use: Provided<N>
  /**
   * The agent's configuration as the code says it here and now. A turn that is replayed after it was changed sees the new one, so that a
   * call that depends on it diverges; the log names the digest of the one each turn began with.
   */
  readonly config: C
  /** The id of the run and the number of this turn, from 0. */
  readonly run: string
  readonly turn: number
  /**
   * Fires when this attempt of the turn is given up: from then on nothing it does counts. Also when the turn was interrupted,
   * with an error of the code `interrupted`: what it makes of that counts.
   */
  readonly signal: AbortSignal

  /** Runs the body and records its outcome; after a crash it may run again unless its outcome was recorded. */
  step<T>(name: string, body: Body<T>): Promise<T>
  step<T>(name: string, options: StepOptions & RedactOptions<T>, body: Body<T>): Promise<T>
  /** A step whose partial output readers see live. That is stored as it is written, so that it takes no `redact`. */
  stream<T>(name: string, body: StreamBody<T>): Promise<T>
  stream<T>(name: string, options: StepOptions, body: StreamBody<T>): Promise<T>
  /** An effect on the world: never started twice without a decision. */
  once<T>(name: string, options: OnceOptions<T>, body: Body<T>): Promise<T>
  /** Asks people, and waits without using anything. */
  ask<T = Json>(name: string, options: AskOptions<T>): Promise<Answer<T>>
  /** The next message of this name. */
  receive<K extends keyof I & string>(
    name: K,
    options?: { readonly key?: string },
  ): Promise<SchemaOutput<I[K]>>
  /** The messages of this name that wait now, oldest first, up to a megabyte of them; none is fine. */
  drain<K extends keyof I & string>(
    name: K,
    options?: { readonly key?: string },
  ): Promise<SchemaOutput<I[K]>[]>
  /**
   * Starts a run of another agent, which goes on beside this one; `join` waits for it. However this run ends, children that
   * have not ended by then are cancelled.
   */
  spawn<A extends AnyAgent>(
    name: string,
    agent: A,
    input: InputOf<A>,
    options?: SpawnOptions,
  ): Promise<Child<ResultOf<A>>>
  /** The result of a child; rejects with `child_failed` when its last attempt failed or was cancelled. */
  join<T>(child: Child<T>): Promise<T>
  /** Waits, across reloads and moves. */
  sleep(name: string, duration: Duration): Promise<void>
  /**
   * Stores bytes or text beside the state, by hash, large ones in parts. The content, or what a function returns that runs
   * as a step does, may come piece by piece, and is never whole in memory. `{ base, at, bytes }` is another artifact with
   * other bytes from `at` on, which costs the parts that it touches. `part`: the size of parts, default 1 MiB.
   */
  artifact(
    name: string,
    content: ArtifactContent | ((tools: StepTools) => ArtifactContent | Promise<ArtifactContent>),
    options?: StepOptions & { readonly type?: string; readonly part?: number },
  ): Promise<Artifact>

  /** Runs named branches at once; resolves when all have ended, rejects with the first error then. */
  all<B extends Branches<Ctx<N, I, C>>>(
    name: string,
    branches: B,
  ): Promise<{ readonly [K in keyof B]: Awaited<ReturnType<B[K]>> }>
  /** Runs named branches at once; resolves when all have ended, with how each did. */
  allSettled<B extends Branches<Ctx<N, I, C>>>(
    name: string,
    branches: B,
  ): Promise<{ readonly [K in keyof B]: PromiseSettledResult<Awaited<ReturnType<B[K]>>> }>
  /**
   * Runs named branches at once until one has ended, and settles as it did. What the others have under way is told to
   * stop; their calls reject with `cancelled`. A `once` of a loser is waited for until its outcome is known.
   */
  race<B extends Branches<Ctx<N, I, C>>>(name: string, branches: B): Promise<Won<B>>
  /** As `race`, but decided by the first branch that succeeds; rejects with an `AggregateError` when none does. */
  any<B extends Branches<Ctx<N, I, C>>>(name: string, branches: B): Promise<Won<B>>
  /** Runs one branch for each item, some at a time; results in the order of the items. */
  map<T, R>(
    name: string,
    items: readonly T[],
    options: MapOptions<T>,
    branch: (ctx: Ctx<N, I, C>, item: T, index: number) => Promise<R>,
  ): Promise<R[]>

  /** Runs one branch: its names are its own. */
  scope<T>(name: string, body: (ctx: Ctx<N, I, C>) => Promise<T>): Promise<T>
  /** A branch in which `ctx.numbered` makes up names, for code that has none to give, such as a wrapped model. */
  scope<T>(
    name: string,
    options: { readonly sequential: true },
    body: (ctx: SequentialCtx<N, I, C>) => Promise<T>,
  ): Promise<T>
  /** Names the checkpoint at this point: a milestone, which retention keeps. The name is a key of its scope. */
  label(name: string): Promise<void>

  /** The time of the last record this turn was given, in ms since 1970: the same at every replay. */
  now(): number
  /** A number from 0 to 1, and an id, the same at every replay. */
  random(): number
  uuid(): string
  /** A plain copy of a draft as it stands. */
  current<T>(value: T): T
  /**
   * Says that the turn is at work although it makes no call: for adapters of libraries that take long between two. Without
   * a word or a call a turn is shown as standing still after `limits.patienceMs`, and paused after `limits.standingMsMax`.
   */
  progress(): void
}

/** The `ctx` of a sequential scope. */
export interface SequentialCtx<
  N extends Needs = Record<never, never>,
  I extends InboxSchemas = Record<never, never>,
  C = unknown,
> extends Ctx<N, I, C> {
  /**
   * A name by counting: `model#1`, `model#2`. Throws `scope_busy` while the call of the one before is open, since their
   * order would be left to chance.
   */
  numbered(name: string): string
}
