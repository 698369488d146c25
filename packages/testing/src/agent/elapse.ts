import { durationMs, WaystoneError, type Duration } from '@waystone/core'
import { codePlace } from './code-place.ts'

/**
 * Takes virtual time inside the body of a step, for needs that play a slow or silent world: the test goes on at once, and
 * the time-outs and deadlines of the run are met as they would be. When the signal fires, rejects with its reason.
 * Rejects with `input_refused` when it is called elsewhere than in a body of `testRun` or `crashEverywhere`.
 *
 * @example
 * const use = { ask: async (signal: AbortSignal) => (await elapse('3s', signal), 'an answer') }
 */
export async function elapse(duration: Duration, signal?: AbortSignal): Promise<void> {
  const place = codePlace()
  if (place?.in !== 'body') {
    throw new WaystoneError(
      'input_refused',
      'elapse() takes the time of a test: call it in the body of a step of a run of testRun or crashEverywhere',
    )
  }
  const { body } = place
  body.idle += 1
  body.scene.moved()
  await body.scene.clock.wait(durationMs(duration), signal)
  body.idle -= 1
  body.scene.moved()
  if (signal?.aborted) throw signal.reason
}
