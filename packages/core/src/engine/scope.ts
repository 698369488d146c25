import { WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { encodeValue } from '../state/codec.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import { countOrInfinity } from './above-zero.ts'
import type { Attempt } from './attempt.ts'
import type { Branch } from './branch.ts'
import type { Call } from './call.ts'
import {
  runAll,
  runAllSettled,
  runBranch,
  runMap,
  runRace,
  type BranchBodies,
  type BranchBody,
  type Inside,
} from './combine.ts'
import type { AnyAgent } from './agent.ts'
import type {
  AskOptions,
  Child,
  Ctx,
  MapOptions,
  OnceOptions,
  RedactOptions,
  ScopeOptions,
  SequentialCtx,
  SpawnOptions,
  StepOptions,
  StepTools,
  StreamTools,
} from './ctx.ts'
import { durationMs, waitMs, type Duration } from './duration.ts'
import { joinPath, seededRandom } from './paths.ts'
import { beginAsk, beginDrain, beginReceive, beginSleep } from './run-wait.ts'
import { beginJoin, beginSpawn } from './run-child.ts'
import { beginOnce } from './run-once.ts'
import { beginArtifact, beginStep } from './run-step.ts'
import { makeUse } from './use.ts'

/** Makes the `ctx` of a turn or of a branch of it. */
export function makeCtx(attempt: Attempt, branch: Branch): Ctx {
  const scope = branch.path
  const random = seededRandom(`${attempt.turn.origin}\n${scope}`)

  const call = (
    name: string,
    kind: string,
    family: Call['family'],
    input: unknown,
    begin: Call['begin'],
    once?: OnceOptions<unknown>,
  ): Promise<unknown> => {
    if (branch.open > 0) return Promise.reject(scopeBusy(scope, name))
    return attempt.call({
      path: joinPath(scope, name),
      kind,
      family,
      input: inputDigest(input, name),
      branch,
      begin,
      ...(once ? { options: once } : {}),
    })
  }
  /** Runs branches under one name; settles when every one of them has ended. */
  const fork = async <R>(name: string, run: (inside: Inside) => Promise<R>): Promise<R> => {
    const within = branch.inside(joinPath(scope, name))
    if (attempt.over) return await new Promise<never>(() => undefined)
    branch.open += 1
    attempt.scope(1)
    try {
      return await run({ attempt, branch: within, ctxOf: (one) => makeCtx(attempt, one) })
    } finally {
      branch.open -= 1
      attempt.scope(-1)
    }
  }

  return {
    use: makeUse(attempt),
    config: attempt.agent.config,
    run: attempt.turn.run,
    turn: attempt.turn.turn,
    get signal() {
      return branch.signal
    },
    now: () => attempt.time,
    random,
    uuid: () => uuidOf(random),
    current: (value) => attempt.current(value),
    progress: () => attempt.progress(),
    step: ((name: string, ...rest: [StepOptions & RedactOptions<unknown>, StepBody] | [StepBody]) => {
      const [options, body] = optionsAndBody<StepOptions & RedactOptions<unknown>, StepBody>(rest, {})
      checkTries(name, options)
      return call(name, 'step', 'step', options.input, (c) => beginStep(attempt, c, options, body))
    }) as Ctx['step'],
    stream: ((name: string, ...rest: [StepOptions, StreamBody] | [StreamBody]) => {
      const [options, body] = optionsAndBody<StepOptions, StreamBody>(rest, {})
      refuseRedact(options, `stream "${name}"`, 'write to `out` and return only what may be kept')
      checkTries(name, options)
      return call(name, 'stream', 'step', options.input, (c) => beginStep(attempt, c, options, body))
    }) as Ctx['stream'],
    once: ((name: string, options: OnceOptions<unknown>, body: StepBody) => {
      durationMs(options.timeout)
      return call(name, 'once', 'once', options.input, (c) => beginOnce(attempt, c, options, body), options)
    }) as Ctx['once'],
    ask: ((name: string, options: AskOptions<unknown>) => {
      const question = encodeValue(options.question, { where: `the question "${name}"` })
      const timed = withDeadline(options)
      return call(name, 'ask', 'ask', options.question, (c) => beginAsk(attempt, c, question, timed))
    }) as Ctx['ask'],
    receive: ((name: string, options: { readonly key?: string } = {}) =>
      call(options.key ?? name, 'receive', 'receive', undefined, (c) =>
        beginReceive(attempt, c, name),
      )) as Ctx['receive'],
    sleep: (name: string, duration: Duration) => {
      const ms = waitMs(duration)
      return call(name, 'sleep', 'sleep', undefined, (c) => beginSleep(attempt, c, ms)) as Promise<void>
    },
    artifact: ((
      name: string,
      content: Parameters<Ctx['artifact']>[1],
      options: NonNullable<Parameters<Ctx['artifact']>[2]> = {},
    ) => {
      refuseRedact(options, `artifact "${name}"`, 'give only bytes that may be kept')
      checkTries(name, options)
      return call(name, 'artifact', 'step', options.input, (c) =>
        beginArtifact(attempt, c, name, content, options),
      )
    }) as Ctx['artifact'],
    drain: ((name: string, options: { readonly key?: string } = {}) =>
      call(options.key ?? name, 'drain', 'drain', undefined, (c) =>
        beginDrain(attempt, c, name),
      )) as Ctx['drain'],
    spawn: ((name: string, agent: AnyAgent, input: unknown, options: SpawnOptions = {}) => {
      const timed = withDeadline(options)
      return call(name, 'spawn', 'spawn', input, (c) =>
        beginSpawn(attempt, c, agent.name, input, timed),
      ).then((child) => ({ ...(child as Child), origin: attempt.turn.origin }))
    }) as Ctx['spawn'],
    join: ((child: Child) =>
      call(`join ${child.run}`, 'join', 'join', undefined, (c) =>
        beginJoin(attempt, c, child),
      )) as Ctx['join'],
    label: (label: string) =>
      call(label, 'label', 'label', undefined, async (c) => {
        await attempt.record([{ kind: 'label', body: { path: c.path, label } }])
      }) as Promise<void>,
    all: ((name: string, bodies: BranchBodies) =>
      fork(name, (inside) => runAll(inside, bodies))) as Ctx['all'],
    allSettled: ((name: string, bodies: BranchBodies) =>
      fork(name, (inside) => runAllSettled(inside, bodies))) as Ctx['allSettled'],
    race: ((name: string, bodies: BranchBodies) =>
      fork(name, (inside) => runRace(inside, bodies, 'first'))) as Ctx['race'],
    any: ((name: string, bodies: BranchBodies) =>
      fork(name, (inside) => runRace(inside, bodies, 'first to succeed'))) as Ctx['any'],
    map: (<T, R>(
      name: string,
      items: readonly T[],
      options: MapOptions<T>,
      each: (ctx: Ctx, item: T, index: number) => Promise<R>,
    ) => fork(name, async (inside) => runMap(inside, items, options, each))) as Ctx['map'],
    scope: ((name: string, ...rest: [ScopeOptions, BranchBody] | [BranchBody]) => {
      const [{ sequential }, body] = optionsAndBody<ScopeOptions, BranchBody>(rest, {})
      return fork(name, (inside) =>
        runBranch(inside, inside.branch, (ctx) =>
          body(sequential ? numbering(attempt, inside.branch, ctx) : ctx),
        ),
      )
    }) as Ctx['scope'],
  }
}

type StepBody = (tools: StepTools) => unknown
type StreamBody = (tools: StreamTools) => unknown

/** A `ctx` that makes up names by counting, for code that has none to give. Two names of one count may not overlap. */
function numbering(attempt: Attempt, branch: Branch, ctx: Ctx): SequentialCtx {
  const counts = new Map<string, number>()
  return Object.defineProperties(
    {
      numbered(name: string): string {
        const count = counts.get(name) ?? 0
        if (count > 0 && !attempt.isSettled(joinPath(branch.path, `${name}#${String(count)}`)))
          throw numbersOverlap(branch.path, name)
        counts.set(name, count + 1)
        return `${name}#${String(count + 1)}`
      },
    },
    Object.getOwnPropertyDescriptors(ctx),
  ) as SequentialCtx
}

/** Throws `input_refused` when a step cannot be tried as it says: its turn hears of it, and no body has run. */
function checkTries(name: string, { attempts, breaker, backoff, backoffMax, timeout }: StepOptions): void {
  countOrInfinity(`\`attempts\` of "${name}"`, attempts)
  if (typeof breaker === 'object')
    countOrInfinity(`\`failures\` of breaker "${breaker.name}"`, breaker.failures)
  for (const duration of [backoff, backoffMax, timeout]) if (duration !== undefined) durationMs(duration)
}

/** The options with their deadline in ms. Throws `input_refused`, where the call is made: its turn hears of it. */
function withDeadline<O extends { readonly deadline?: Duration }>(options: O): O {
  return options.deadline === undefined ? options : { ...options, deadline: waitMs(options.deadline) }
}

/** What a body stores by itself no `redact` sees: taking one would be a promise that is not kept. */
function refuseRedact(options: object, what: string, instead: string): void {
  if (!('redact' in options) && !('redactError' in options)) return
  throw new WaystoneError(
    'input_refused',
    `${what} takes no \`redact\`, since its content is stored as it is made: ${instead}`,
  )
}

function optionsAndBody<O, B>(rest: readonly [O, B] | readonly [B], none: O): readonly [O, B] {
  return rest.length === 2 ? rest : [none, rest[0]]
}

function inputDigest(input: unknown, name: string): Digest | undefined {
  if (input === undefined) return undefined
  return digestBytes(utf8(JSON.stringify(encodeValue(input, { where: `the input of "${name}"` })))) as Digest
}

/** A version 4 UUID from seeded numbers. */
function uuidOf(random: () => number): string {
  return 'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'.replace(/[xy]/g, (sign) => {
    const nibble = Math.floor(random() * 16)
    return (sign === 'x' ? nibble : (nibble & 3) | 8).toString(16)
  })
}

function scopeBusy(scope: string, name: string): WaystoneError {
  return new WaystoneError(
    'scope_busy',
    `"${name}" was called on the ctx of ${scope} while branches of it are open: use the ctx that the branch is given`,
    {
      path: scope,
    },
  )
}

function numbersOverlap(scope: string, name: string): WaystoneError {
  return new WaystoneError(
    'scope_busy',
    `another numbered "${name}" was called in ${scope} while the one before is open: their order would be left to chance. Await it, or give them names`,
    { path: scope },
  )
}
