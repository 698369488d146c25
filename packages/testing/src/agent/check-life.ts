import { WaystoneError, type Entry, type ResultOf, type RunStatus, type StateOf } from '@waystone/core'
import { firstDifference, show, type Difference } from './first-difference.ts'
import type { Started } from './scene.ts'
import { ownStarts } from './test-result.ts'
import type { TestableAgent, TestAsk, TestResult } from './test-options.ts'

/** How a run ended, as far as a crash must not change it. */
export interface End<A extends TestableAgent> {
  readonly status: RunStatus
  readonly result: ResultOf<A> | undefined
  readonly reason: string | undefined
  readonly state: StateOf<A>
  /** In order of their paths. */
  readonly asks: readonly Pick<TestAsk, 'path' | 'question' | 'status' | 'value'>[]
}

/** One run, with what its bodies did before and after it was killed. */
export interface LifeRecord<A extends TestableAgent> {
  readonly result: TestResult<A>
  /** How many entries were there when it was killed. */
  readonly kept: number
  readonly died: boolean
  readonly before: readonly Started[]
  readonly after: readonly Started[]
  readonly retried: ReadonlySet<string>
  /** What the world showed afterwards. */
  readonly world: unknown
}

/** Throws `not_replayable` when a killed run differs from the whole one. `who` begins the message. */
export function checkLife<A extends TestableAgent>(
  whole: LifeRecord<A>,
  killed: LifeRecord<A>,
  who: string,
  compare: ((end: End<A>) => unknown) | undefined,
): void {
  const fail = (what: string, { where, expected, found }: Difference): never => {
    throw new WaystoneError(
      'not_replayable',
      `${who} ${what}: ${where}: expected ${show(expected)}, found ${show(found)}`,
      { details: { where, expected, found }, cause: killed.result.error },
    )
  }
  const { status, error } = killed.result
  if (status === 'paused')
    fail('paused', { where: error?.path ?? 'status', expected: whole.result.status, found: error?.message })
  const again = repeatedStep(killed)
  if (again) fail('ran a recorded step again', { where: again, expected: 'its record', found: 'its body' })
  const twice = startedTwice(whole, killed)
  if (twice) fail('started an effect again, and nobody had decided so', twice)
  if (!assumed(killed.result.entries)) {
    const of = (life: LifeRecord<A>): unknown => (compare ?? all)(endOf(life.result))
    const other = firstDifference('end', of(whole), of(killed))
    if (other) fail('came to another end', { ...other, where: other.where.replace(/^end\./, '') })
  }
  const world = firstDifference('effects', whole.world, killed.world)
  if (world) fail('left another world', world)
}

function all<A extends TestableAgent>(end: End<A>): unknown {
  return end
}

function endOf<A extends TestableAgent>({ status, result, reason, state, asks }: TestResult<A>): End<A> {
  return { status, result, reason, state, asks: [...asks].sort((a, b) => (a.path < b.path ? -1 : 1)) }
}

function repeatedStep({ result, kept, after }: LifeRecord<TestableAgent>): string | undefined {
  const recorded = result.entries
    .slice(0, kept)
    .flatMap((entry) => (entry.kind === 'step' || entry.kind === 'once' ? [entry.body.path] : []))
  return ownStarts(after).find((path) => recorded.includes(path))
}

/** An effect that the second host has started again, without `verify`, the agent's policy or a person saying so. */
function startedTwice(
  whole: LifeRecord<TestableAgent>,
  { result, before, after, retried }: LifeRecord<TestableAgent>,
): Difference | undefined {
  for (const { path, started } of result.effects) {
    const expected = Math.max(1, whole.result.effects.find((one) => one.path === path)?.started ?? 0)
    const wasStarted = ownStarts(before).includes(path)
    const isDecided =
      retried.has(path) ||
      after.some((one) => one.path === path && one.kind === 'verify') ||
      result.entries.some((entry) => entry.kind === 'decide' && isOf(entry, path, result.entries))
    if (wasStarted && started > expected && !isDecided) return { where: path, expected, found: started }
  }
  return undefined
}

function isOf(
  decision: Extract<Entry, { kind: 'decide' }>,
  path: string,
  entries: readonly Entry[],
): boolean {
  return entries.some(
    (entry) =>
      entry.kind === 'once.start' && entry.body.path === path && entry.digest === decision.body.start,
  )
}

/** An agent that says what to assume of an unknown outcome may well come to another end. */
function assumed(entries: readonly Entry[]): boolean {
  return entries.some((entry) => entry.kind === 'once' && entry.body.how === 'assumed')
}
