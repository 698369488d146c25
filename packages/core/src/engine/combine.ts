import { WaystoneError } from '../errors.ts'
import { limits } from '../limits.ts'
import { countOrInfinity } from './above-zero.ts'
import type { Attempt } from './attempt.ts'
import type { Branch } from './branch.ts'
import type { Ctx, MapOptions } from './ctx.ts'
import { joinPath } from './paths.ts'

/** Where branches run, and what gives each its `ctx`. */
export interface Inside {
  readonly attempt: Attempt
  readonly branch: Branch
  readonly ctxOf: (branch: Branch) => Ctx
}

/** The function of a branch. */
export type BranchBody<R = unknown> = (ctx: Ctx) => Promise<R>
export type BranchBodies = Readonly<Record<string, BranchBody>>

/** Which branch decides a race: the first to end, or the first to succeed. */
export type RaceRule = 'first' | 'first to succeed'

/** Runs named branches at once. When all have ended: their results by name, or the error that came first. */
export async function runAll(inside: Inside, bodies: BranchBodies): Promise<object> {
  const names = Object.keys(bodies)
  const tasks = names.map((name) => () => runNamed(inside, name, bodies[name]))
  const results = await settleAll(tasks, names.length)
  return Object.fromEntries(names.map((name, index) => [name, results[index]]))
}

/** Runs named branches at once. When all have ended: how each did, by name. */
export async function runAllSettled(inside: Inside, bodies: BranchBodies): Promise<object> {
  const names = Object.keys(bodies)
  const ended = await Promise.allSettled(names.map((name) => runNamed(inside, name, bodies[name])))
  return Object.fromEntries(names.map((name, index) => [name, ended[index]]))
}

/** Runs one branch for each item, some at a time. When all have ended: results in order, or the first error. */
export function runMap<T, R>(
  inside: Inside,
  items: readonly T[],
  options: MapOptions<T>,
  each: (ctx: Ctx, item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const { branch } = inside
  const { path } = branch
  if (items.length > limits.mapItemsMax) throw tooManyItems(path, items.length)
  const paths = items.map((item, index) => joinPath(path, options.key(item, index)))
  if (new Set(paths).size !== paths.length) throw duplicateItem(path, paths)
  const tasks = items.map(
    (item, index) => () =>
      runBranch(inside, branch.inside(paths[index] as string), (ctx) => each(ctx, item, index)),
  )
  // Of no items 0 at a time is what `items.length` says.
  if (tasks.length === 0) return Promise.resolve([])
  return settleAll(tasks, countOrInfinity(`\`concurrency\` of "${path}"`, options.concurrency) ?? 8)
}

/**
 * Runs named branches at once until one decides. What the others have under way is ended, then one entry names winner
 * and losers; with its delivery their calls reject, and when their functions have ended the race has its result.
 */
export async function runRace(
  inside: Inside,
  bodies: BranchBodies,
  rule: RaceRule,
): Promise<{ readonly name: string; readonly value: unknown }> {
  const { attempt, branch: scope } = inside
  const names = Object.keys(bodies)
  if (names.length === 0) throw noBranches(scope.path)
  const branches = names.map((name) => scope.inside(joinPath(scope.path, name)))
  const running = branches.map((branch, index) => runBranch(inside, branch, bodies[names[index] as string]))
  const decided = await firstOf(running, rule)
  if ('errors' in decided) throw new AggregateError(decided.errors, `every branch of "${scope.path}" failed`)
  const losers = branches.filter((_, index) => index !== decided.index)
  for (const loser of losers) loser.doom()
  const isLoser = (name: string): boolean => name !== winner
  const winner = names[decided.index] as string
  const recorded = await recordedWinner(attempt, running, {
    path: scope.path,
    family: 'race',
    kind: 'race',
    input: undefined,
    branch: scope,
    begin: async () => {
      await attempt.stopLosers()
      const body = { path: scope.path, winner, losers: names.filter(isLoser), ...attempt.meter.takeLeft() }
      await attempt.record([{ kind: 'race', body }])
    },
  })
  if (recorded !== winner)
    attempt.diverge(scope.path, `race won by "${String(recorded)}"`, `won by "${winner}"`)
  for (const loser of losers) attempt.cancelBranch(loser)
  await attempt.ended(running)
  if ('error' in decided) throw decided.error
  return { name: winner, value: decided.value }
}

/** Of a race that has lost one itself: its branches end before anybody hears of it, too. */
async function recordedWinner(
  attempt: Attempt,
  running: readonly Promise<unknown>[],
  call: Parameters<Attempt['call']>[0],
): Promise<unknown> {
  try {
    return await attempt.call(call)
  } catch (error) {
    await attempt.ended(running)
    throw error
  }
}

type Decided =
  | { readonly index: number; readonly value: unknown }
  | { readonly index: number; readonly error: unknown }
  | { readonly errors: readonly unknown[] }

function firstOf(running: readonly Promise<unknown>[], rule: RaceRule): Promise<Decided> {
  const errors: unknown[] = []
  return new Promise((resolve) => {
    for (const [index, branch] of running.entries()) {
      branch.then(
        (value) => resolve({ index, value }),
        (error: unknown) => {
          if (rule === 'first') return resolve({ index, error })
          errors[index] = error
          if (Object.keys(errors).length === running.length) resolve({ errors })
        },
      )
    }
  })
}

function runNamed(inside: Inside, name: string, body: BranchBody | undefined): Promise<unknown> {
  return runBranch(inside, inside.branch.inside(joinPath(inside.branch.path, name)), body)
}

/** Runs a branch and checks that it leaves no call of its own open. */
export async function runBranch<R>(
  { attempt, ctxOf }: Inside,
  branch: Branch,
  body: BranchBody<R> | undefined,
): Promise<R> {
  if (typeof body !== 'function') throw noFunction(branch.path)
  const result = await body(ctxOf(branch))
  await attempt.endBranch(branch)
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

function noBranches(path: string): WaystoneError {
  return new WaystoneError('input_refused', `"${path}" has no branches: nobody can win it`, { path })
}

function noFunction(path: string): WaystoneError {
  return new WaystoneError('input_refused', `branch "${path}" is not a function`, { path })
}

function tooManyItems(path: string, found: number): WaystoneError {
  return new WaystoneError(
    'limit_exceeded',
    `"${path}" maps over ${String(found)} items, the limit is ${String(limits.mapItemsMax)}`,
    { path },
  )
}

function duplicateItem(path: string, paths: readonly string[]): WaystoneError {
  const seen = new Set<string>()
  const twice = paths.find((one) => seen.has(one) || !seen.add(one))
  return new WaystoneError(
    'key_taken',
    `two items of "${path}" have the key of "${String(twice)}": keys are unique in a map`,
    { path },
  )
}
