import type {
  AnyAgent,
  Artifact,
  Duration,
  Entry,
  InputOf,
  Place,
  ResultOf,
  RunStatus,
  StateOf,
  WireError,
} from '@waystone/core'

/** Any agent that `defineAgent` makes. */
export interface TestableAgent extends AnyAgent {
  provide(provided: never): AnyAgent
}

/** What a question is asked with. */
export interface AskInfo {
  /** Where it was asked, such as `2/approve`. */
  readonly path: string
  /** How often it was answered with something that its schema refused, and why the last time. */
  readonly refusals: number
  readonly refused: string | undefined
}

/** Answers a question; undefined leaves it open. A method, so that the type of the question may be written down. */
type Answering = { answer(question: unknown, info: AskInfo): unknown }['answer']

/** What people say to a run: an answer, or a function of the question. */
export type TestAnswer = object | string | number | boolean | bigint | null | undefined | Answering

/** A message, sent when the run waits for one of its name, or for the next `drain` that takes it. */
export interface TestMessage {
  readonly name: string
  readonly value: unknown
}

/** What a person decides about an effect whose outcome is unknown: that it is done, to be done again, or failed. */
export type TestDecision = 'again' | { readonly done: unknown } | { readonly failed: string }

/** What a test of any agent may say. */
export interface TestSettings {
  /**
   * Answers to questions, by the last name of the ask's path or by the whole path: a value, or a function of the question
   * (which may be async). A question without an answer expires when it has a deadline; else the test rejects.
   */
  readonly answers?: Readonly<Record<string, TestAnswer>>
  /**
   * Messages: each is sent when the run waits for one of its name, those of one name in order. Of names that the run only
   * drains, one is sent in each turn, once that waits for anything: the next `drain` takes it. What was not sent is in `unsent`.
   */
  readonly messages?: readonly TestMessage[] | Readonly<Record<string, readonly unknown[]>>
  /** Decisions about effects whose outcome is unknown, by name or path, as `answers` are. */
  readonly decisions?: Readonly<Record<string, TestDecision>>
  /** Where the run is. Without it the test is every place at once, so that needs `at` a place may all be used. */
  readonly place?: Place
  /** Versions of what the agent depends on, as the application names them where it is hosted. */
  readonly versions?: Readonly<Record<string, string>>
  /** Agents that the agent starts runs of. */
  readonly agents?: readonly AnyAgent[]
  /** The virtual time at the start, in ms since 1970. Default: the first of January 2030, UTC. */
  readonly now?: number
  /** How long, in real time, a body may do nothing before the test is given up. Default 4 s. */
  readonly patience?: Duration
  /**
   * What becomes of clocks, dice, timers and `fetch` in a turn outside a step: `trap` (default) rejects the test; `allow`
   * lets them through, for a library wrapped in `ctx.scope` whose own use of them comes to nothing that is kept.
   */
  readonly globals?: 'trap' | 'allow'
  /** Whether every turn is replayed before it commits, which finds most of what a crash would. Default true. */
  readonly replay?: boolean
}

/** How an agent is run in a test. */
export type TestOptions<A extends TestableAgent, Use = A['provided']> = TestSettings &
  GivenInput<A> & {
    /** What `agent.provide` gets; or a function that makes it fresh for every run that is begun. */
    readonly use?: Use | (() => Use)
  }

type GivenInput<A> =
  unknown extends InputOf<A>
    ? { readonly input?: unknown }
    : { /** What the run is started with. */ readonly input: InputOf<A> }

/** A question that a run has put, and what became of it. */
export interface TestAsk {
  readonly path: string
  readonly question: unknown
  /** `open` only in a run that is not over, such as a paused one. */
  readonly status: 'answered' | 'expired' | 'open'
  /** What the turn was given, after the schema. */
  readonly value?: unknown
}

/** An effect of class `once` that a run has started. */
export interface TestEffect {
  readonly path: string
  /** The key its body was given to send along. */
  readonly key: string
  /** How often its body was started. */
  readonly started: number
}

/** What became of a run. */
export interface TestResult<A extends TestableAgent> {
  /** `paused` when the turn threw, or when a decision or a retry is waited for. */
  readonly status: RunStatus
  /** What `done` was given. */
  readonly result: ResultOf<A> | undefined
  /** The committed state. */
  readonly state: StateOf<A>
  /** What `fail` was given. */
  readonly reason: string | undefined
  /** Why the run is paused. */
  readonly error: WireError | undefined
  /** The log. */
  readonly entries: readonly Entry[]
  /** The paths of the bodies that ran, in order of their starts: one that was tried three times is there three times. */
  readonly steps: readonly string[]
  readonly effects: readonly TestEffect[]
  readonly asks: readonly TestAsk[]
  /** The text of each stream, by the path of its step. */
  readonly streams: Readonly<Record<string, string>>
  readonly artifacts: readonly (Artifact & { readonly content: Uint8Array })[]
  /** Virtual time from start to end, in ms. */
  readonly elapsedMs: number
  /** The messages that were not sent, since the run neither waited for them nor came to a turn to send them in. */
  readonly unsent: readonly TestMessage[]
}
