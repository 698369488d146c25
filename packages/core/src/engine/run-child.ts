import { isWaystoneError, toWire, WaystoneError, type ErrorCode, type WireError } from '../errors.ts'
import { parseRunId, type Digest, type OwnerId, type RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { EntryDraft, Outcome } from '../log/bodies.ts'
import type { Fold, TurnRecord } from '../log/fold.ts'
import type { Place, RunSummary } from '../ports/log-store.ts'
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

/** A child that is to be started. */
export interface ChildStart {
  readonly run: RunId
  /** The run whose turn starts it. */
  readonly parent: RunId
  /** How many runs are above it. */
  readonly depth: number
  readonly agent: string
  readonly input: EncodedResult
  /** Its parent has recorded that it was started, perhaps on another device. */
  readonly isRecorded: boolean
  /** It was another device that has recorded that: what is not here yet may be there. */
  readonly isOthers: boolean
  /** Where it is to run. */
  readonly at?: 'edge' | 'browser' | undefined
}

/**
 * What starts and watches the children of a run. A host without it cannot have any. What cannot be asked now rejects with
 * `unreachable`, and is asked again.
 */
export interface Children {
  /** Starts a child by its id; doing it again does nothing. One that is recorded is never started where it may be unknown. */
  start(child: ChildStart): Promise<void>
  /**
   * How it ended; undefined while that is not known here: the host is poked when it is. `elsewhere`: this place may not
   * know, since it is the child of another run, or encrypted.
   */
  end(run: RunId): Promise<ChildEnd | 'elsewhere' | undefined>
  /** One that has ended is fine. */
  cancel(run: RunId, reason: string): Promise<void>
}

/** How a run ended, as its parent is told; undefined while it has not. */
export function endOf({ status, reason, result }: Fold): ChildEnd | undefined {
  if (status === 'done') return { status, value: encodeValue(result) }
  return status === 'failed' || status === 'cancelled' ? { status, reason: reason ?? '' } : undefined
}

/** Why a child is cancelled whose parent is over. */
export function parentOver({ run, status }: Pick<RunSummary, 'run' | 'status'>): string {
  return `its parent, run ${run}, ${status === 'cancelled' ? 'was cancelled' : `is ${status}`}`
}

/** How long a call that found no network waits before it looks again, in ms. */
const networkRetryMs = 5_000

/** Starts a child and records it. The id is made of where the call stands, so that it is the same after a crash. */
export function beginSpawn(
  attempt: Attempt,
  call: Call,
  agent: string,
  input: unknown,
  options: SpawnOptions,
): Promise<void> {
  const { children, clock, place } = attempt.ports
  const { at, deadline, attempts = 1 } = options
  const spawn = async (): Promise<void> => {
    if (children === undefined || isElsewhere(at, place)) return parkForChildren(attempt, call, spawn)
    const value = encodeValue(input, { where: `the input of "${call.path}"` })
    const { run: parent, origin } = attempt.turn
    const depth = depthOf(attempt)
    const child = childId(prefixOf(parent), origin, call.path, 1)
    const start = { run: child, parent, depth, agent, input: value, isRecorded: false, isOthers: false, at }
    const refused = refusalOf(call.path, options, depth)
    const error = refused ? toWire(refused) : await started(children, start)
    if (attempt.over) return
    const due = deadline === undefined ? undefined : clock.now() + durationMs(deadline)
    const draft: EntryDraft = {
      kind: 'spawn',
      body: {
        path: call.path,
        ...(call.input ? { input: call.input } : {}),
        child,
        agent,
        given: value,
        attempts: refused ? 1 : attempts,
        ...(due === undefined ? {} : { due }),
        ...(at === undefined || refused ? {} : { at }),
        ...(error ? { error: { ...error, path: call.path } } : {}),
      },
    }
    attempt.running(call)
    await attempt.record([draft])
  }
  return whenReached(attempt, call, spawn)
}

/** Waits until a child has ended, with as many attempts as it was given, and records how. */
export function beginJoin(attempt: Attempt, call: Call, child: Child): Promise<void> {
  const { children, clock, place } = attempt.ports
  const { agent, attempts, at, due, given, origin } = child
  const { run: parent } = attempt.turn
  const depth = depthOf(attempt)
  const isOurs = isStartedBy(attempt.ports.me, attempt.turn.records, child.run)
  // Records come from devices, too.
  const last = Math.min(attempts, limits.childAttemptsMax)
  const look = (): Promise<void> => whenReached(attempt, call, lookOnce)
  const lookOnce = async (): Promise<void> => {
    if (children === undefined) return parkForChildren(attempt, call, look)
    let { run } = child
    let end: Awaited<ReturnType<Children['end']>>
    for (let number = 1; number <= last; number += 1) {
      if (number > 1) {
        if (isElsewhere(at, place)) {
          end = 'elsewhere'
          break
        }
        run = childId(prefixOf(parent, child.run), origin, child.path, number)
      }
      // The first may be unknown here, too: on another device than the one that started it.
      const isRecorded = number === 1
      const isOthers = isRecorded && !isOurs
      const start = { run, parent, depth, agent, input: given, isRecorded, isOthers, at }
      const error = await started(children, start)
      if (error) return attempt.over ? undefined : recordJoin(attempt, call, run, { error })
      end = await children.end(run)
      if (end === undefined || end === 'elsewhere' || end.status === 'done') break
    }
    if (attempt.over) return
    if (end && end !== 'elsewhere') return recordJoin(attempt, call, run, outcomeOf(run, end))
    if (due !== null && clock.now() >= due) {
      // One that is elsewhere has ended, or is another run's.
      if (end === undefined) await children.cancel(run, 'its deadline is over')
      return recordJoin(
        attempt,
        call,
        run,
        outcomeOf(run, { status: 'cancelled', reason: 'its deadline is over' }),
      )
    }
    if (end === 'elsewhere') return parkForChildren(attempt, call, look, due)
    attempt.park(call, { for: 'child', run, ...(due === null ? {} : { due }) }, look)
    // It may have ended between the look and the wait.
    if ((await children.end(run)) && call.poke === look) {
      call.poke = undefined
      await look()
    }
  }
  return look()
}

/** Looks, and again after a while as long as what is asked does not answer. */
async function whenReached(attempt: Attempt, call: Call, look: () => Promise<void>): Promise<void> {
  if (call.phase === 'parked') attempt.running(call)
  try {
    await look()
  } catch (error) {
    if (!isWaystoneError(error, 'unreachable') || attempt.over) throw error
    const due = attempt.ports.clock.now() + networkRetryMs
    attempt.park(call, { for: 'time', due }, () => whenReached(attempt, call, look))
  }
}

/** True at the edge for a child that is to run in a browser: it is started once its parent is in one. */
function isElsewhere(at: SpawnOptions['at'], place: Place): boolean {
  return at === 'browser' && place === 'edge'
}

/**
 * The id of a child: where it was called from, as a SHA-256, and which attempt it is, after what its parent's id begins
 * with up to its last dot. So whoever may see all runs of a person by that beginning may see their children.
 */
function childId(prefix: string, origin: Digest, path: string, attempt: number): RunId {
  return parseRunId(`${prefix}${effectKey(origin, path).slice(0, 32)}-${String(attempt)}`)
}

/** The id of a child without the number of its attempt: all attempts at it have this in common. */
export function childStem(child: RunId): string {
  return child.replace(/-\d+$/, '')
}

/** What the ids of children begin with; `first` is a child whose id was made before they did. */
function prefixOf(parent: RunId, first?: RunId): string {
  const prefix = parent.slice(0, parent.lastIndexOf('.') + 1)
  const isFit = prefix.length <= prefixCharsMax && (first === undefined || first.startsWith(prefix))
  return isFit ? prefix : ''
}

/** What an id of 100 characters has room for beside the rest. */
const prefixCharsMax = 60

async function recordJoin(attempt: Attempt, call: Call, child: RunId, outcome: Outcome): Promise<void> {
  attempt.running(call)
  await attempt.record([{ kind: 'join', body: { path: call.path, child, outcome } }])
}

function outcomeOf(run: RunId, end: ChildEnd): Outcome {
  return end.status === 'done' ? { value: end.value } : { error: toWire(childFailed(run, end)) }
}

/** Starts a child. What the child itself is to blame for is given back; what else fails is thrown. */
async function started(children: Children, child: ChildStart): Promise<WireError | undefined> {
  try {
    await children.start(child)
    return undefined
  } catch (error) {
    const { code } = toWire(error, 'step_failed')
    if (!ownFaults.includes(code)) throw error
    return toWire(error, 'step_failed')
  }
}

/** No agent of this name, an input or state that cannot be kept, an `initial` that throws, an id that is gone or taken. */
const ownFaults: readonly ErrorCode[] = [
  'agent_unknown',
  'input_refused',
  'value_refused',
  'step_failed',
  'run_deleted',
  'run_exists',
]

function childFailed(run: RunId, end: Exclude<ChildEnd, { status: 'done' }>): WaystoneError {
  return new WaystoneError('child_failed', `child ${run} ${end.status}: ${end.reason}`, {
    run,
    details: { status: end.status },
  })
}

/** True when `me` has recorded that a child was started: what is no record of the turn as it began is its own. */
function isStartedBy(me: OwnerId, records: readonly TurnRecord[], child: RunId): boolean {
  const record = records.find(({ kind, body }) => kind === 'spawn' && body.child === child)
  return record === undefined || record.owner === me
}

/** How many runs are above a child of this turn's run. */
function depthOf({ turn }: Attempt): number {
  return (turn.depth ?? 0) + 1
}

/** Why a child is not started as it was asked for; undefined when it may be. */
function refusalOf(path: string, options: SpawnOptions, depth: number): WaystoneError | undefined {
  const { at, attempts = 1 } = options
  const { childAttemptsMax, childDepthMax } = limits
  if (at !== undefined && at !== 'edge' && at !== 'browser')
    return refused(path, `a child runs at 'edge' or 'browser', found ${JSON.stringify(at)}`)
  if (!Number.isSafeInteger(attempts) || attempts < 1 || attempts > childAttemptsMax)
    return refused(path, `a child has 1 to ${String(childAttemptsMax)} attempts, found ${String(attempts)}`)
  if (depth <= childDepthMax) return undefined
  return new WaystoneError(
    'limit_exceeded',
    `"${path}" would start a run below ${String(depth)} others, and there may be ${String(childDepthMax)}: let an agent that starts itself end`,
    { path },
  )
}

function refused(path: string, why: string): WaystoneError {
  return new WaystoneError('input_refused', why, { path })
}

function parkForChildren(
  attempt: Attempt,
  call: Call,
  again: () => Promise<void>,
  due: number | null = null,
): void {
  const until = due === null ? {} : { due }
  attempt.park(call, { for: 'place', need: 'children', at: 'browser', ...until }, again)
}
