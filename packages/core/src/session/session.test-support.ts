import { memoryStorage } from '../memory/memory-storage.ts'
import { testClock, testRandom } from '../runtime/memory-world.test-support.ts'
import { openSession } from './open-session.ts'
import type { SessionOptions } from './options.ts'
import type { Session } from './session.ts'

/** The state of most tests. */
export interface Notes {
  notes: string[]
  count: number
}

export type TestOptions<State> = Partial<SessionOptions<State>>

/** Opens a session of notes in memory, or of whatever the options say. */
export function open(options: TestOptions<Notes> = {}): Promise<Session<Notes>> {
  return openSession<Notes>({ ...defaults(), initial: () => ({ notes: [], count: 0 }), ...options })
}

/** Opens a session with another state. */
export function openAs<State>(initial: State, options: TestOptions<State> = {}): Promise<Session<State>> {
  return openSession<State>({ ...defaults(), initial, ...options })
}

function defaults() {
  return { storage: memoryStorage(), id: 'notes', me: 'laptop', clock: testClock, random: testRandom }
}

/** What a range has, as pairs. */
export async function pairs(
  range: AsyncIterable<{ readonly key: string; readonly value: unknown }>,
): Promise<readonly (readonly [string, unknown])[]> {
  const all: (readonly [string, unknown])[] = []
  for await (const { key, value } of range) all.push([key, value])
  return all
}

/** Resolves when a condition holds; the test's own time limit ends what never comes. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await testClock.task()
}
