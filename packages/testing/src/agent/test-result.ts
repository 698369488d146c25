import { decodeValue, type Entry, type ResultOf, type RunHandle, type StateOf } from '@waystone/core'
import type { Started } from './scene.ts'
import { testRunId, type TestDevice } from './test-device.ts'
import type { TestableAgent, TestAsk, TestEffect, TestResult } from './test-options.ts'

/** What a run that has ended, or is paused, tells. */
export async function testResult<A extends TestableAgent>(
  run: RunHandle,
  started: readonly Started[],
  device: TestDevice,
  { elapsedMs, unsent }: Pick<TestResult<A>, 'elapsedMs' | 'unsent'>,
): Promise<TestResult<A>> {
  const entries = run.entries()
  const view = run.view()
  const artifacts = (view?.artifacts ?? []).map(async (one) => ({
    ...one,
    content: (await device.blob(one.hash)) ?? new Uint8Array(),
  }))
  return {
    status: view?.status ?? 'running',
    result: view?.result as ResultOf<A> | undefined,
    state: view?.state as StateOf<A>,
    reason: view?.reason,
    error: view?.error,
    entries,
    steps: ownStarts(started),
    effects: effectsIn(entries, started),
    asks: asksIn(entries),
    streams: streamsIn(entries, device.texts),
    artifacts: await Promise.all(artifacts),
    elapsedMs,
    unsent,
  }
}

/** The paths of the bodies of steps, streams and effects of the run under test, in order. */
export function ownStarts(started: readonly Started[]): readonly string[] {
  return started.flatMap(({ run, path, kind }) =>
    run === testRunId && ['step', 'stream', 'once'].includes(kind) ? [path] : [],
  )
}

/** The questions of a log in order, with what became of each. */
export function asksIn(entries: readonly Entry[]): readonly TestAsk[] {
  return entries.flatMap((entry): TestAsk[] => {
    if (entry.kind !== 'ask') return []
    const { path } = entry.body
    const question = decodeValue(entry.body.question)
    const given = entries.find(
      ({ kind, body }) => kind === 'answer' && 'ask' in body && body.ask === entry.digest,
    )
    if (given?.kind !== 'answer') return [{ path, question, status: 'open' }]
    const { answer } = given.body
    return answer.status === 'expired'
      ? [{ path, question, status: 'expired' }]
      : [{ path, question, status: 'answered', value: decodeValue(answer.value) }]
  })
}

function effectsIn(entries: readonly Entry[], started: readonly Started[]): readonly TestEffect[] {
  const keys = new Map(
    entries.flatMap((entry) =>
      entry.kind === 'once.start' ? [[entry.body.path, entry.body.key] as const] : [],
    ),
  )
  const times = (path: string): number => ownStarts(started).filter((one) => one === path).length
  return [...keys].map(([path, key]) => ({ path, key, started: times(path) }))
}

/** A stream that was reset may be shorter than the text that was written. */
function streamsIn(
  entries: readonly Entry[],
  texts: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const streams = entries.flatMap((entry) =>
    entry.kind === 'step' && entry.body.stream ? [entry.body.stream] : [],
  )
  return Object.fromEntries(
    streams.map(({ stream, chars }) => [stream, (texts.get(stream) ?? '').slice(0, chars)]),
  )
}
