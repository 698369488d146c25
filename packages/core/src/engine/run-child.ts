import { toWire, WaystoneError } from '../errors.ts'
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
  /** Starts a run of an agent by its id; doing it again does nothing. */
  start(agent: string, input: EncodedResult, run: RunId): Promise<void>
  /** How it ended; undefined while it has not. The host is poked when that changes. */
  end(run: RunId): Promise<ChildEnd | undefined>
  cancel(run: RunId, reason: string): Promise<void>
}

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
  await children.start(agent, value, child)
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
    let { run } = child
    let end: ChildEnd | undefined
    for (let number = 1; number <= attempts; number += 1) {
      if (number > 1) run = childId(origin, child.path, number)
      // The first may be unknown here, too: on another device than the one that started it.
      await children.start(agent, given, run)
      end = await children.end(run)
      if (end === undefined || end.status === 'done') break
    }
    if (attempt.over) return
    if (end) return recordJoin(attempt, call, run, end)
    if (due !== null && clock.now() >= due) {
      await children.cancel(run, 'its deadline is over')
      return recordJoin(attempt, call, run, { status: 'cancelled', reason: 'its deadline is over' })
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

async function recordJoin(attempt: Attempt, call: Call, child: RunId, end: ChildEnd): Promise<void> {
  attempt.running(call)
  const outcome: Outcome =
    end.status === 'done' ? { value: end.value } : { error: toWire(childFailed(child, end)) }
  await attempt.record([{ kind: 'join', body: { path: call.path, child, outcome } }])
}

function childFailed(run: RunId, end: Exclude<ChildEnd, { status: 'done' }>): WaystoneError {
  return new WaystoneError('child_failed', `child ${run} ${end.status}: ${end.reason}`, {
    run,
    details: { status: end.status },
  })
}

function parkForChildren(attempt: Attempt, call: Call, again: () => Promise<void>): void {
  attempt.park(call, { for: 'place', need: 'children', at: 'browser' }, again)
}
