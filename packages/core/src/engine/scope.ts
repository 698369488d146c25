import { WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import { limits } from '../limits.ts'
import { encodeValue } from '../state/codec.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import type { Attempt } from './attempt.ts'
import type { Call } from './call.ts'
import type { AskOptions, Ctx, MapOptions, OnceOptions, StepOptions, StepTools, StreamTools } from './ctx.ts'
import { durationMs, type Duration } from './duration.ts'
import { joinPath, seededRandom } from './paths.ts'
import { beginAsk, beginReceive, beginSleep } from './run-wait.ts'
import { beginOnce } from './run-once.ts'
import { beginArtifact, beginStep } from './run-step.ts'
import { makeUse } from './use.ts'

type Branch = (ctx: Ctx) => Promise<unknown>

/** Makes the `ctx` of one scope of a turn: the turn itself or a branch. */
export function makeCtx(attempt: Attempt, scope: string): Ctx {
  const random = seededRandom(`${attempt.turn.origin}\n${scope}`)
  let branches = 0

  const call = (
    name: string,
    kind: string,
    family: Call['family'],
    input: unknown,
    begin: Call['begin'],
  ): Promise<unknown> => {
    if (branches > 0) return Promise.reject(scopeBusy(scope, name))
    return attempt.call({ path: joinPath(scope, name), kind, family, input: inputDigest(input, name), begin })
  }
  /** Runs branches under one name; resolves or rejects when every one of them has ended. */
  const fork = async <R>(name: string, run: (path: string) => Promise<R>): Promise<R> => {
    const path = joinPath(scope, name)
    if (attempt.over) return await new Promise<never>(() => undefined)
    branches += 1
    attempt.scope(1)
    try {
      return await run(path)
    } finally {
      branches -= 1
      attempt.scope(-1)
    }
  }

  return {
    use: makeUse(attempt),
    run: attempt.turn.run,
    turn: attempt.turn.turn,
    signal: attempt.signal,
    now: () => attempt.time,
    random,
    uuid: () => uuidOf(random),
    current: (value) => attempt.current(value),
    step: ((name: string, ...rest: [StepOptions, StepBody] | [StepBody]) => {
      const [options, body] = optionsAndBody<StepOptions, StepBody>(rest, {})
      return call(name, 'step', 'step', options.input, (c) => beginStep(attempt, c, options, body))
    }) as Ctx['step'],
    stream: ((name: string, ...rest: [StepOptions, StreamBody] | [StreamBody]) => {
      const [options, body] = optionsAndBody<StepOptions, StreamBody>(rest, {})
      return call(name, 'stream', 'step', options.input, (c) => beginStep(attempt, c, options, body))
    }) as Ctx['stream'],
    once: ((name: string, options: OnceOptions<unknown>, body: StepBody) => {
      durationMs(options.timeout)
      return call(name, 'once', 'once', options.input, (c) => beginOnce(attempt, c, options, body))
    }) as Ctx['once'],
    ask: ((name: string, options: AskOptions<unknown>) => {
      const question = encodeValue(options.question, { where: `the question "${name}"` })
      return call(name, 'ask', 'ask', options.question, (c) => beginAsk(attempt, c, question, options))
    }) as Ctx['ask'],
    receive: ((name: string, options: { readonly key?: string } = {}) =>
      call(options.key ?? name, 'receive', 'receive', undefined, (c) =>
        beginReceive(attempt, c, name),
      )) as Ctx['receive'],
    sleep: (name: string, duration: Duration) =>
      call(name, 'sleep', 'sleep', undefined, (c) =>
        beginSleep(attempt, c, durationMs(duration)),
      ) as Promise<void>,
    artifact: ((name: string, content: string | Uint8Array, options: { readonly type?: string } = {}) =>
      call(name, 'artifact', 'step', undefined, (c) =>
        beginArtifact(attempt, c, name, content, options.type),
      )) as Ctx['artifact'],
    all: ((name: string, branchesByName: Readonly<Record<string, Branch>>) =>
      fork(name, async (path) => {
        const names = Object.keys(branchesByName)
        const results = await settleAll(
          names.map((key) => () => branch(attempt, joinPath(path, key), branchesByName[key] as Branch)),
          names.length,
        )
        return Object.fromEntries(names.map((key, index) => [key, results[index]]))
      })) as Ctx['all'],
    map: (<T, R>(
      name: string,
      items: readonly T[],
      options: MapOptions<T>,
      each: (ctx: Ctx, item: T, index: number) => Promise<R>,
    ) =>
      fork(name, async (path) => {
        if (items.length > limits.mapItemsMax) throw tooManyItems(path, items.length)
        const paths = items.map((item, index) => joinPath(path, options.key(item, index)))
        if (new Set(paths).size !== paths.length) throw duplicateItem(path, paths)
        return settleAll(
          items.map(
            (item, index) => () => branch(attempt, paths[index] as string, (ctx) => each(ctx, item, index)),
          ),
          Math.max(1, options.concurrency ?? 8),
        ) as Promise<R[]>
      })) as Ctx['map'],
  }
}

type StepBody = (tools: StepTools) => unknown
type StreamBody = (tools: StreamTools) => unknown

/** Runs a branch and checks that it leaves no call of its own open. */
async function branch<R>(attempt: Attempt, path: string, body: (ctx: Ctx) => Promise<R>): Promise<R> {
  const result = await body(makeCtx(attempt, path))
  await attempt.endBranch(path)
  return result
}

/** Runs tasks, some at a time, and waits for all of them; then rejects with the error that came first. */
async function settleAll<R>(tasks: readonly (() => Promise<R>)[], concurrency: number): Promise<R[]> {
  const results = new Array<R>(tasks.length)
  const errors: unknown[] = []
  let at = 0
  const worker = async (): Promise<void> => {
    while (at < tasks.length) {
      const index = at++
      try {
        results[index] = await (tasks[index] as () => Promise<R>)()
      } catch (error) {
        errors.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, tasks.length) }, worker))
  if (errors.length > 0) throw errors[0]
  return results
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

function tooManyItems(path: string, found: number): WaystoneError {
  return new WaystoneError(
    'limit_exceeded',
    `"${path}" maps over ${String(found)} items, the limit is ${String(limits.mapItemsMax)}`,
    { path },
  )
}

function duplicateItem(path: string, paths: readonly string[]): WaystoneError {
  const twice = paths.find((one, index) => paths.indexOf(one) !== index)
  return new WaystoneError(
    'key_taken',
    `two items of "${path}" have the key of "${String(twice)}": keys are unique in a map`,
    { path },
  )
}
