import { isWaystoneError, toWire, WaystoneError, type ErrorCode, type WireError } from '../errors.ts'
import { parseRunId, type Digest, type RunId } from '../ids.ts'
import type { EntryDraft, Outcome } from '../log/bodies.ts'
import { encodeValue } from '../state/codec.ts'
import type { Attempt } from './attempt.ts'
import type { Call } from './call.ts'
import type { Child, SpawnOptions } from './ctx.ts'
import { durationMs } from './duration.ts'
import { effectKey } from './paths.ts'

/** How a child ended. */
export type ChildEnd =
  | { readonly status: 'done'; readonly value: EncodedResult }
  | { readonly status: 'failed' | 'cancelled'; readonly reason: string }
type EncodedResult = Extract<Outcome, { value: unknown }>['value']

/** What starts and watches the children of a run. A host without it cannot have any. */
export interface Children {
  /**
   * Starts a run of an agent by its id; doing it again does nothing. `isRecorded`: it was started before, perhaps on another
   * device; then rejects with `unreachable` when it is not here and the edge cannot be asked.
   */
  start(agent: string, input: EncodedResult, run: RunId, isRecorded: boolean): Promise<void>
  /** How it ended; undefined while it has not. The host is poked when that changes. */
  end(run: RunId): Promise<ChildEnd | undefined>
  cancel(run: RunId, reason: string): Promise<void>
}

/** How long a call that found no network waits before it looks again, in ms. */
const networkRetryMs = 5_000

/** Starts a child and records it. The id is made of where the call stands, so that it is the same after a crash. */
export async function beginSpawn(
  attempt: Attempt,
  call: Call,
  agent: string,
  input: unknown,
  options: SpawnOptions,
): Promise<void> {
  const { children, clock } = attempt.ports
  if (children === undefined)
    return parkForChildren(attempt, call, () => beginSpawn(attempt, call, agent, input, options))
  const value = encodeValue(input, { where: `the input of "${call.path}"` })
  const child = childId(attempt.turn.origin, call.path, 1)
  const error = await started(children, agent, value, child, false)
  if (attempt.over) return
  const due = options.deadline === undefined ? undefined : clock.now() + durationMs(options.deadline)
  const draft: EntryDraft = {
    kind: 'spawn',
    body: {
      path: call.path,
      ...(call.input ? { input: call.input } : {}),
      child,
      agent,
      given: value,
      attempts: Math.max(1, options.attempts ?? 1),
      ...(due === undefined ? {} : { due }),
      ...(error ? { error: { ...error, path: call.path } } : {}),
    },
  }
  await attempt.record([draft])
}

/** Waits until a child has ended, with as many attempts as it was given, and records how. */
export async function beginJoin(attempt: Attempt, call: Call, child: Child): Promise<void> {
  const { children, clock } = attempt.ports
  if (children === undefined) return parkForChildren(attempt, call, () => beginJoin(attempt, call, child))
  const { agent, attempts, due, given, origin } = child
  const look = async (): Promise<void> => {
    try {
      await lookOnce()
    } catch (error) {
      if (!isWaystoneError(error, 'unreachable') || attempt.over) throw error
      attempt.park(call, { for: 'time', due: clock.now() + networkRetryMs }, look)
    }
  }
  const lookOnce = async (): Promise<void> => {
    let { run } = child
    let end: ChildEnd | undefined
    for (let number = 1; number <= attempts; number += 1) {
      if (number > 1) run = childId(origin, child.path, number)
      // The first may be unknown here, too: on another device than the one that started it.
      const error = await started(children, agent, given, run, number === 1)
      if (error) return attempt.over ? undefined : recordJoin(attempt, call, run, { error })
      end = await children.end(run)
      if (end === undefined || end.status === 'done') break
    }
    if (attempt.over) return
    if (end) return recordJoin(attempt, call, run, outcomeOf(run, end))
    if (due !== null && clock.now() >= due) {
      await children.cancel(run, 'its deadline is over')
      return recordJoin(
        attempt,
        call,
        run,
        outcomeOf(run, { status: 'cancelled', reason: 'its deadline is over' }),
      )
    }
    attempt.park(call, { for: 'child', run, ...(due === null ? {} : { due }) }, look)
    // It may have ended between the look and the wait.
    if ((await children.end(run)) && call.poke === look) {
      call.poke = undefined
      await look()
    }
  }
  await look()
}

/** The id of a child: SHA-256 of where it was called from, and which attempt it is. */
function childId(origin: Digest, path: string, attempt: number): RunId {
  return parseRunId(`${effectKey(origin, path).slice(0, 32)}-${String(attempt)}`)
}

async function recordJoin(attempt: Attempt, call: Call, child: RunId, outcome: Outcome): Promise<void> {
  attempt.running(call)
  await attempt.record([{ kind: 'join', body: { path: call.path, child, outcome } }])
}

function outcomeOf(run: RunId, end: ChildEnd): Outcome {
  return end.status === 'done' ? { value: end.value } : { error: toWire(childFailed(run, end)) }
}

/** Starts a child. What the child itself is to blame for is given back; what else fails is thrown. */
async function started(
  children: Children,
  agent: string,
  input: EncodedResult,
  run: RunId,
  isRecorded: boolean,
): Promise<WireError | undefined> {
  try {
    await children.start(agent, input, run, isRecorded)
    return undefined
  } catch (error) {
    const { code } = toWire(error, 'step_failed')
    if (!ownFaults.includes(code)) throw error
    return toWire(error, 'step_failed')
  }
}

/** No agent of this name, an input or state that cannot be kept, an `initial` that throws. */
const ownFaults: readonly ErrorCode[] = ['agent_unknown', 'input_refused', 'value_refused', 'step_failed']

function childFailed(run: RunId, end: Exclude<ChildEnd, { status: 'done' }>): WaystoneError {
  return new WaystoneError('child_failed', `child ${run} ${end.status}: ${end.reason}`, {
    run,
    details: { status: end.status },
  })
}

function parkForChildren(attempt: Attempt, call: Call, again: () => Promise<void>): void {
  attempt.park(call, { for: 'place', need: 'children', at: 'browser' }, again)
}
