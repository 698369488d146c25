import {
  defineAgent,
  done,
  type AnyAgent,
  type Ctx,
  type RunView,
  type Schema,
  type StepTools,
} from '@waystone/core'

/** Where an agent of a case finds the outside, and how its requests are told from those of others. */
export interface CaseInput {
  readonly server: string
  readonly run: string
}

/** What a step asks of the outside. Each name of a request is used by one step of its agent. */
export type Reach = (
  request: string,
  tools: Pick<StepTools, 'idempotencyKey'> & Partial<Pick<StepTools, 'signal'>>,
  body?: unknown,
) => Promise<string>

const text: Schema<string> = {
  '~standard': { version: 1, vendor: 'engine', validate: (value) => ({ value: String(value) }) },
}
const inbox = { begin: text, hint: text }

/** The `ctx` of the cases. */
export type CaseCtx = Ctx<Record<never, never>, typeof inbox>

/** Asks the outside, which counts each request by its name and answers with it. */
async function reach(
  { server, run }: CaseInput,
  [request, tools, body = '']: Parameters<Reach>,
): Promise<string> {
  const response = await fetch(`${server}/effect/${run}.${encodeURIComponent(request)}`, {
    method: 'POST',
    headers: { 'idempotency-key': `${tools.idempotencyKey} ${request}` },
    body: JSON.stringify(body),
    ...(tools.signal ? { signal: tools.signal } : {}),
  })
  return ((await response.json()) as { readonly answer: string }).answer
}

/** An agent of one turn whose result is what its function gives. */
export function oneTurn(name: string, turn: (ctx: CaseCtx, reach: Reach) => Promise<unknown>): AnyAgent {
  return defineAgent({
    name,
    version: 1,
    inbox,
    initial: (input: CaseInput) => ({ ...input, got: null as unknown }),
    async turn(ctx, state) {
      const { server, run } = state
      const got = await turn(ctx, (...asked) => reach({ server, run }, asked))
      state.got = got
      return done(got)
    },
  })
}

/** What a person or program does to a run. */
export type Command =
  | { readonly do: 'answer'; readonly value: unknown; readonly by: string }
  | { readonly do: 'send'; readonly name: string; readonly value: unknown }
  | { readonly do: 'interrupt' }
  | { readonly do: 'decide'; readonly start: string; readonly type: 'again' }
  | { readonly do: 'decide'; readonly start: string; readonly type: 'done'; readonly value: unknown }

/** A request whose answer the scenario holds back. */
export interface HeldRequest {
  /** Resolves when the request has come. */
  readonly arrived: Promise<void>
  /** Answers it, and those of its name that come later. */
  release(): void
}

/** A run of a case, in the hands of its scenario. */
export interface Play {
  /** Starts the run. What is to be held back is held before. */
  begin(): Promise<void>
  hold(request: string): HeldRequest
  /** Ends the host at once, as a crash would, and opens it again, with the agent that the case has for later. */
  kill(): Promise<void>
  until(fits: (view: RunView) => boolean): Promise<RunView>
  /** Resolves when the log has the outcome of a call. */
  recorded(path: string): Promise<void>
  /** Resolves when the log has an entry of a kind. */
  logged(kind: string): Promise<void>
  act(command: Command): Promise<void>
  /** How often each request was made so far. */
  starts(): Readonly<Record<string, number>>
}

/** A rule of the engine as a run that keeps it: an agent, what happens to its run, and what that comes to. */
export interface EngineCase {
  /** Reads as a spec. */
  readonly name: string
  /** Under a name that no other case has. */
  readonly agent: AnyAgent
  /** What it is started with; by default where it finds the outside. */
  readonly input?: object
  /** What is registered under the same name once the host was killed: other code. */
  readonly later?: AnyAgent
  /** Gives what it saw on the way, to be compared with `end.seen`. */
  readonly play: (run: Play) => Promise<unknown>
  readonly end: {
    /** Parts of the last view. */
    readonly view: Readonly<Record<string, unknown>>
    /** How often each request was made, from first to last. */
    readonly starts: Readonly<Record<string, number>>
    readonly seen?: unknown
    /** The calls whose outcome is in the log, in its order. */
    readonly recorded?: readonly string[]
    /** What the readers of its stream have seen at last. */
    readonly text?: string
  }
}

/** What is expected of a run that is done. */
export function doneWith(result: unknown): Readonly<Record<string, unknown>> {
  return { status: 'done', result }
}
