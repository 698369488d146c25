import { readerOf } from './artifacts.ts'
import { toWire, WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import type { EffectAfter, OnceHow, Outcome } from '../log/bodies.ts'
import type { TurnRecord } from '../log/fold.ts'
import type { Decision } from '../ports/inbox.ts'
import { lostRace } from './attempt-end.ts'
import type { Attempt } from './attempt.ts'
import type { Call } from './call.ts'
import type { OnceOptions, StepTools } from './ctx.ts'
import { durationMs } from './duration.ts'
import { reportCost } from './meter.ts'
import { effectKey } from './paths.ts'
import { redactedError } from './redact.ts'
import { outcomeOf, parkForNeeds, recordedError, runBody, type Ran } from './run-step.ts'

type Body = (tools: StepTools) => unknown

/**
 * How often an effect is started by itself before a person is asked, by all hosts that were killed in it together, and the
 * first wait between, in ms.
 */
const retriesMax = 5
const retryMsMin = 500
const assumed = { aborted: false, timedOut: false } as const
type StartRecord = Extract<TurnRecord, { kind: 'once.start' }>

/**
 * Runs an effect of class `once`: a durable start record first, known to the edge when the run has one, then the body.
 * A start without an outcome is never started again without `verify`, the agent's policy or a person saying so.
 */
export async function beginOnce(
  attempt: Attempt,
  call: Call,
  options: OnceOptions<unknown>,
  body: Body,
): Promise<void> {
  if (parkForNeeds(attempt, call, options.needs, () => beginOnce(attempt, call, options, body))) return
  const before = call.start?.kind === 'once.start' ? call.start : undefined
  if (before) return resolveUnknown(attempt, call, options, body, before)
  // What the source of this fork, or this run before it went back, has done already: doing it again is a person's
  // decision, about each of them. The last one counts.
  const carried = attempt.turn.effects.filter((effect) => isOf(effect, call.path))
  const open = carried.find(({ key }) => decisionOn(attempt, key as Digest) === undefined)
  if (open) {
    const otherKey = open.read ? { otherKey: open.read.key } : {}
    return attempt.parkUndecided(call, { start: open.key as Digest, key: open.key, ...otherKey })
  }
  const last = carried.at(-1)?.key as Digest | undefined
  const decision = last === undefined ? undefined : decisionOn(attempt, last)
  if (last === undefined || decision === undefined || decision.type === 'again')
    return start(attempt, call, options, body, effectKey(attempt.turn.origin, call.path))
  return recordDecision(attempt, call, last, decision)
}

/** True for an effect of this path, also where that could not be read: then the key tells. */
function isOf({ path, read }: EffectAfter, own: string): boolean {
  return path === own || (read !== undefined && read.key === effectKey(read.origin, own))
}

async function start(
  attempt: Attempt,
  call: Call,
  options: OnceOptions<unknown>,
  body: Body,
  key: string,
  round = 1,
): Promise<void> {
  const waits = attempt.agent.once === 'wait'
  // Where nobody waits for the edge, which refuses the start of a host that is not the writer any more, it is asked before.
  await attempt.ports.awake?.()
  if (waits && !attempt.over) await confirmed(attempt, call, undefined)
  if (attempt.over || attempt.holding) {
    return later(attempt, call, () => start(attempt, call, options, body, key, round))
  }
  if (call.branch.doomed) return attempt.rest(call)
  const { clock, place } = attempt.ports
  const timeoutMs = durationMs(options.timeout)
  const record = {
    path: call.path,
    ...(call.input ? { input: call.input } : {}),
    key,
    timeoutMs,
    place,
    ...(waits ? {} : { unsynced: true as const }),
  }
  const entries = await attempt.record([{ kind: 'once.start', body: record }], { strict: true })
  const started = entries.at(-1)
  if (started === undefined) return
  if (waits) await confirmed(attempt, call, started.seq)
  // A turn that was interrupted meanwhile has been told that this did not happen.
  if (attempt.over || call.phase === 'settled') return
  if (call.branch.doomed) {
    const outcome = { error: toWire(lostRace(call.path)) }
    return recordOnce(attempt, call, { start: started.digest, ms: 0, outcome, how: 'ran' })
  }
  // Whoever finds the start record waits this long after it: the body has to be over by then. When the edge took too
  // long to confirm, the start is recorded anew.
  const leftMs = started.time + timeoutMs - clock.now()
  if (leftMs < timeoutMs / 2) {
    if (round < retriesMax) return start(attempt, call, options, body, key, round + 1)
    const outcome = { error: toWire(slowEdge(call.path, timeoutMs)) }
    return recordOnce(attempt, call, { start: started.digest, ms: 0, outcome, how: 'ran' })
  }
  attempt.running(call)
  call.attempt += 1
  const began = clock.now()
  const ran = await runBody(attempt, call, leftMs, (signal) =>
    body(toolsOf(attempt, call, signal, key, call.attempt)),
  )
  if (attempt.over) return
  const ms = clock.now() - began
  if (!('error' in ran)) {
    const outcome = outcomeOf(ran, call.path, options)
    return recordHappened(attempt, call, { start: started.digest, key, ms, outcome, how: 'ran' })
  }
  if (ran.timedOut || options.verify) {
    // The request may have arrived although no answer did.
    return settleUnknown(attempt, call, options, body, { start: started.digest, key, failed: ran })
  }
  const outcome = outcomeOf(ran, call.path, options)
  return recordOnce(attempt, call, { start: started.digest, ms, outcome, how: 'ran' })
}

/** An earlier attempt started this and left no outcome: waits until it can no longer be under way, then finds out. */
async function resolveUnknown(
  attempt: Attempt,
  call: Call,
  options: OnceOptions<unknown>,
  body: Body,
  record: StartRecord,
): Promise<void> {
  const { digest, time, body: started } = record
  const decision = decisionOn(attempt, digest)
  if (decision?.type === 'again') return start(attempt, call, options, body, started.key)
  if (decision) return recordDecision(attempt, call, digest, decision)
  // It was under way before this host opened the run at the latest. Another owner's clock may be anywhere.
  const { me, opened } = attempt.ports
  const from = record.owner === me ? Math.min(time, opened) : opened
  const over = from + started.timeoutMs
  const look = async (): Promise<void> => {
    if (attempt.ports.clock.now() < over) return attempt.park(call, { for: 'time', due: over }, look)
    attempt.running(call)
    await settleUnknown(attempt, call, options, body, { start: digest, key: started.key })
  }
  await look()
}

async function settleUnknown(
  attempt: Attempt,
  call: Call,
  options: OnceOptions<unknown>,
  body: Body,
  unknown: { readonly start: Digest; readonly key: string; readonly failed?: Ran },
): Promise<void> {
  const { start: digest, key, failed } = unknown
  if (options.verify) {
    const verify = options.verify
    await attempt.ports.awake?.()
    if (attempt.over) return
    const ran = await runBody(attempt, call, durationMs(options.timeout), (signal) =>
      verify(toolsOf(attempt, call, signal, key, 1)),
    )
    if (attempt.over) return
    const answer = ran.value as Awaited<ReturnType<typeof verify>> | undefined
    if (answer?.done === true) {
      const outcome = outcomeOf({ ...ran, value: answer.value }, call.path, options)
      return recordHappened(attempt, call, { start: digest, key, ms: 0, outcome, how: 'verified' })
    }
    if (answer?.done === false) {
      if (failed === undefined && !call.branch.doomed)
        return mayRetry(call)
          ? start(attempt, call, options, body, key)
          : attempt.parkUndecided(call, { start: digest, key })
      const error = failed ? redactedError(failed.error, call.path, options) : lostRace(call.path)
      return recordOnce(attempt, call, {
        start: digest,
        ms: 0,
        outcome: { error: recordedError(error, call.path) },
        how: 'verified',
      })
    }
  }
  const wanted = options.onUnknown ?? 'ask'
  // In a branch that has lost nothing is started again.
  const policy = wanted === 'retry' && call.branch.doomed ? 'fail' : wanted
  if (policy === 'ask') return attempt.parkUndecided(call, { start: digest, key })
  if (policy === 'retry' && mayRetry(call)) {
    await attempt.ports.clock.wait(retryMsMin * 2 ** call.attempt, attempt.signal)
    return attempt.over ? undefined : start(attempt, call, options, body, key)
  }
  if (policy === 'retry') return attempt.parkUndecided(call, { start: digest, key })
  if (policy === 'fail') {
    const outcome = { error: toWire(unknownOutcome(call.path)) }
    return recordOnce(attempt, call, { start: digest, ms: 0, outcome, how: 'assumed' })
  }
  const outcome = assumedOutcome(call, options, policy)
  if (outcome === undefined) return attempt.parkUndecided(call, { start: digest, key })
  return recordHappened(attempt, call, { start: digest, key, ms: 0, outcome, how: 'assumed' })
}

/** An effect that ends its host each time has been started, but not tried by this attempt. */
function mayRetry({ attempt, starts }: Call): boolean {
  return Math.max(attempt, starts) < retriesMax
}

/** What the agent assumes; undefined when that throws: then a person decides. */
function assumedOutcome(
  { path }: Call,
  options: OnceOptions<unknown>,
  policy: { assumeDone(): unknown },
): Outcome | undefined {
  try {
    return outcomeOf({ ...assumed, value: policy.assumeDone() }, path, options)
  } catch {
    return undefined
  }
}

/** Waits for the edge, shown as waiting for the network when that takes longer than a moment. */
async function confirmed(attempt: Attempt, call: Call, seq: number | undefined): Promise<void> {
  const shown = new AbortController()
  void attempt.ports.clock.wait(300, shown.signal).then(() => {
    if (!shown.signal.aborted && call.phase === 'running')
      attempt.park(call, { for: 'network' }, () => new Promise(() => undefined))
  })
  await attempt.ports.confirm(seq, attempt.signal)
  shown.abort()
  if (!attempt.over) attempt.running(call)
}

/** A move began while the call waited: it starts when the move has failed, here, or after it, there. */
function later(attempt: Attempt, call: Call, again: () => Promise<void>): void {
  attempt.park(call, { for: 'network' }, again)
}

function decisionOn(attempt: Attempt, start: Digest): Decision | undefined {
  const record = attempt.turn.records.findLast((one) => one.kind === 'decide' && one.body.start === start)
  return record?.kind === 'decide' ? record.body.decision : undefined
}

function recordDecision(
  attempt: Attempt,
  call: Call,
  start: Digest,
  decision: Exclude<Decision, { type: 'again' }>,
): Promise<void> {
  const outcome: Outcome =
    decision.type === 'done'
      ? { value: decision.value }
      : {
          error: toWire(
            new WaystoneError('outcome_unknown', decision.message || 'a person decided that it failed', {
              path: call.path,
            }),
          ),
        }
  return recordOnce(attempt, call, { start, ms: 0, outcome, how: 'decided' })
}

/** What `recordOnce` takes. */
interface Ended {
  readonly start: Digest
  readonly ms: number
  readonly outcome: Outcome
  readonly how: OnceHow
}

/**
 * Records an effect that happened. When its value cannot be kept a person decides: recorded as failed it would be paid for
 * another way, and passed over when effects are undone.
 */
async function recordHappened(
  attempt: Attempt,
  call: Call,
  { key, ...ended }: Ended & { readonly key: string },
): Promise<void> {
  const { start, outcome } = ended
  if ('error' in outcome) return attempt.parkUndecided(call, { start, key, unkept: outcome.error })
  return recordOnce(attempt, call, ended)
}

async function recordOnce(attempt: Attempt, call: Call, body: Ended): Promise<void> {
  const ms = Math.max(0, Math.round(body.ms))
  const used = attempt.meter.take(ms, call.cost)
  await attempt.record([{ kind: 'once', body: { path: call.path, ...body, ms, ...used } }], { strict: true })
}

function toolsOf(
  attempt: Attempt,
  call: Call,
  signal: AbortSignal,
  idempotencyKey: string,
  number: number,
): StepTools {
  const cost = (amount: number): void => reportCost(call, amount)
  return { signal, idempotencyKey, attempt: number, read: readerOf(attempt.ports), cost }
}

function unknownOutcome(path: string): WaystoneError {
  return new WaystoneError('outcome_unknown', `"${path}" was started and its outcome is not known`, {
    path,
    actions: ['decide'],
  })
}

function slowEdge(path: string, timeoutMs: number): WaystoneError {
  return new WaystoneError(
    'step_timeout',
    `"${path}" was not started: each time the edge took more than half of its time-out of ${String(timeoutMs)} ms to confirm the start`,
    { path, actions: ['retry'] },
  )
}
