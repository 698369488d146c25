import { assert, durationMs } from '@waystone/core'
import { Person } from './person.ts'
import { play } from './play.ts'
import { Scene } from './scene.ts'
import { TestDevice } from './test-device.ts'
import { testResult } from './test-result.ts'
import type { TestableAgent, TestOptions, TestResult, TestSettings } from './test-options.ts'

/** The first of January 2030, UTC. */
const nowDefault = 1_893_456_000_000

/**
 * Runs an agent in memory, in Node (20.16 or newer) under any test runner, until its run ends or pauses. Storage, time and
 * ids are the test's own, so a test gives the same every time: timers jump. Virtual time passes only when the run
 * waits for it and nothing else can happen; while the body of a step does real work it stands.
 *
 * Every turn is replayed before it commits; one that comes to another end pauses the run with `not_replayable`. In a turn, outside the bodies of steps, `Date.now()`, `new Date()`,
 * `Math.random()`, `crypto.randomUUID()`, `crypto.getRandomValues()`, `fetch()`, `setTimeout()`, `setInterval()` and
 * `setImmediate()` throw; the globals are as before when the test is over.
 *
 * A run that pauses is a result too: `status`, `error`. Rejects
 * - `not_replayable` or `waits_outside` when the turn called one of the globals above, whatever it did with the error,
 * - `input_refused` when the run waits for what the test does not give: it names the open question, the message or the
 *   need; and when the agent refuses its input,
 * - `answer_refused` when the schema of a question refused its answer,
 * - `step_timeout` when a body does nothing for `patience`, `limit_exceeded` when the run does not end.
 *
 * @example
 * const { status, result, steps } = await testRun(reader, {
 *   input: { urls: ['/one'] },
 *   use: { fetchText: async () => 'one' },
 *   answers: { approve: (question: { text: string }) => question.text !== '' },
 *   messages: [{ name: 'remark', value: 'shorter' }],
 * })
 */
export async function testRun<A extends TestableAgent>(
  agent: A,
  options: TestOptions<A>,
): Promise<TestResult<A>> {
  const device = new TestDevice()
  const scene = newScene(options)
  const began = scene.clock.now()
  const person = new Person(options)
  const run = await play(agent, options, freshUse(options.use), {
    device,
    scene,
    person,
  })
  assert(run !== undefined, 'a run under test that nobody killed has no end')
  return testResult<A>(run, scene.started, device, {
    elapsedMs: scene.clock.now() - began,
    unsent: person.unsent,
  })
}

/** The scene of a host that begins at a time. */
export function newScene({
  now,
  patience,
  globals,
}: Pick<TestSettings, 'now' | 'patience' | 'globals'>): Scene {
  return new Scene({
    now: now ?? nowDefault,
    patienceMs: durationMs(patience ?? '4s'),
    allowsGlobals: globals === 'allow',
  })
}

/** What the agent is provided with in one run. */
export function freshUse<Use>(use: Use | (() => Use) | undefined): Use & object {
  return ((typeof use === 'function' ? (use as () => Use)() : use) ?? {}) as Use & object
}
