import { assert, WaystoneError, type Decision, type Entry } from '@waystone/core'
import { checkLife, type End, type LifeRecord } from './check-life.ts'
import { Person } from './person.ts'
import { play } from './play.ts'
import { TestDevice, type KillPoint } from './test-device.ts'
import { freshUse, newScene } from './test-run.ts'
import { ownStarts, testResult } from './test-result.ts'
import type { TestableAgent, TestOptions, TestResult } from './test-options.ts'

/** How an agent is killed everywhere. */
export type CrashOptions<A extends TestableAgent, Use> = TestOptions<A, Use> & {
  /**
   * What the world outside shows after a run: how often something was paid, say. It must be the same after a crash. Needs
   * `use` as a function, so that every run has a world of its own.
   */
  readonly effects?: (use: Use) => unknown
  /**
   * What of an end has to be the same after a crash. Default: all of it. Leave out what may differ, such as times: after
   * a crash it is later.
   */
  readonly compare?: (end: End<A>) => unknown
}

/** What `crashEverywhere` did. */
export interface CrashReport<A extends TestableAgent> {
  /** The run that nobody killed. */
  readonly whole: TestResult<A>
  /** Where it was killed, in words. A run that real time puts in another order may not come to every place. */
  readonly kills: readonly string[]
}

/**
 * Runs an agent once whole, then kills it after every entry of its log and in the middle of every stream, goes on in a
 * fresh host on what was stored, and compares: status, result, state, questions and effects are to be as in the whole run,
 * no recorded step runs again, no `once` is started twice without a decision.
 *
 * A host is killed as late as it can be: what follows from its last entry has happened, but is not recorded. After the
 * start of an effect it is also killed before the effect has begun. When a person has to decide about an effect and
 * `decisions` says nothing, the person looks: it is done when its body was started, else it is to be done again.
 *
 * `use`, as a function, is called once for each run: both hosts of a killed run see the same world. Functions in
 * `answers` should depend on the question alone.
 *
 * Rejects as `testRun` does; with the run's own error when the whole run pauses; and with `not_replayable` when a killed run
 * comes to another end: the message says where it was killed, what differs, what was expected and found, and `details`
 * has all of them.
 *
 * @example
 * await crashEverywhere(payer, {
 *   input: { cents: 500 },
 *   use: () => fakeBank(),
 *   effects: (bank) => bank.payments,
 * })
 */
export async function crashEverywhere<A extends TestableAgent, Use extends A['provided']>(
  agent: A,
  options: CrashOptions<A, Use>,
): Promise<CrashReport<A>> {
  if (options.effects && typeof options.use !== 'function')
    throw new WaystoneError(
      'input_refused',
      '`effects` compares worlds: give `use` as a function that makes one for each run',
    )
  const device = new TestDevice()
  const whole = await live(agent, options, device)
  if (whole.result.status === 'paused') throw wholePaused(whole.result)
  const { entries } = whole.result
  const kills: string[] = []
  for (const kill of killPoints(entries, device)) {
    const where = inWords(kill, entries)
    const killed = await live(agent, options, new TestDevice(), { kill, whole: entries })
    checkLife(whole, killed, `${agent.name}, killed ${where},`, options.compare)
    if (killed.died) kills.push(where)
  }
  return { whole: whole.result, kills }
}

/** One run: in one host, or in one that is killed and one that goes on. */
async function live<A extends TestableAgent, Use extends A['provided']>(
  agent: A,
  options: CrashOptions<A, Use>,
  device: TestDevice,
  killed?: { readonly kill: KillPoint; readonly whole: readonly Entry[] },
): Promise<LifeRecord<A>> {
  const use = freshUse(options.use) as Use & object
  const first = newScene(options)
  const began = first.clock.now()
  const onlooker = (path: string): Decision | undefined =>
    killed && whatHappened(path, killed.whole, ownStarts(first.started))
  const person = new Person(options, onlooker)
  const stage = { device, person }
  const survived = await play(agent, options, use, { ...stage, scene: first, kill: killed?.kill })
  const then = newScene({ ...options, now: first.clock.now() })
  // With the turns of the whole run replayed, replaying those of every other would find the same.
  const run = survived ?? (await play(agent, { ...options, replay: false }, use, { ...stage, scene: then }))
  assert(run !== undefined, 'a run under test that nobody killed has no end')
  const started = [...first.started, ...then.started]
  const result = await testResult<A>(run, started, device, {
    elapsedMs: then.clock.now() - began,
    unsent: person.unsent,
  })
  const kept = survived ? result.entries.length : keptOf(result.entries)
  return {
    result,
    kept,
    died: survived === undefined,
    before: first.started,
    after: then.started,
    retried: then.retried,
    world: options.effects?.(use),
  }
}

/** How many entries the first host has left: the second begins with an `open` entry of its own. */
function keptOf(entries: readonly Entry[]): number {
  const at = entries.findLastIndex(({ kind }) => kind === 'open')
  return at < 0 ? entries.length : at
}

function killPoints(entries: readonly Entry[], device: TestDevice): readonly KillPoint[] {
  const afterEntries = entries.flatMap(({ kind }, index): KillPoint[] => {
    // After the last entry nothing follows that could be late.
    const late = { entries: index + 1, late: index + 1 < entries.length }
    return kind === 'once.start' ? [{ entries: index + 1, late: false }, late] : [late]
  })
  const inStreams = [...device.pieces].flatMap(([stream, pieces]): KillPoint[] =>
    pieces > 1 ? [{ stream, pieces: Math.floor(pieces / 2) }] : [],
  )
  return [...afterEntries, ...inStreams]
}

function inWords(kill: KillPoint, entries: readonly Entry[]): string {
  if ('stream' in kill) return `in the middle of stream "${kill.stream}"`
  const entry = entries[kill.entries - 1]
  const path = entry && 'path' in entry.body ? ` "${entry.body.path}"` : ''
  const early = kill.late || entry?.kind !== 'once.start' ? '' : ', before the effect began'
  return `after entry ${String(kill.entries - 1)} (${entry?.kind ?? 'none'}${path})${early}`
}

/** What a person finds who looks whether an effect has happened. */
function whatHappened(path: string, whole: readonly Entry[], started: readonly string[]): Decision {
  const record = whole.findLast((entry) => entry.kind === 'once' && entry.body.path === path)
  if (!started.includes(path) || record?.kind !== 'once') return { type: 'again' }
  const { outcome } = record.body
  return 'value' in outcome
    ? { type: 'done', value: outcome.value }
    : { type: 'failed', message: outcome.error.message }
}

function wholePaused({ error }: TestResult<TestableAgent>): WaystoneError {
  const message = `the run paused although nobody killed it: ${error?.message ?? 'no reason was given'}`
  return new WaystoneError(error?.code ?? 'bug', message, {
    ...(error?.path === undefined ? {} : { path: error.path }),
    details: error?.details,
  })
}
