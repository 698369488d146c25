import { isWaystoneError, toWire, WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import type { Outcome, StreamDigest } from '../log/bodies.ts'
import { encodeValue } from '../state/codec.ts'
import {
  readerOf,
  storeArtifact,
  type Artifact,
  type ArtifactBlobs,
  type ArtifactContent,
} from './artifacts.ts'
import type { Attempt } from './attempt.ts'
import type { BreakerOptions } from './breakers.ts'
import type { Call } from './call.ts'
import type { RedactOptions, StepOptions, StepTools, StreamTools } from './ctx.ts'
import { durationMs } from './duration.ts'
import { inTime } from './in-time.ts'
import { reportCost } from './meter.ts'
import { effectKey } from './paths.ts'
import { redacted } from './redact.ts'
import { openStream } from './stream-out.ts'
import { missingNeed } from './use.ts'

/** Runs the body of a step or stream until it gives a result or has used its attempts, and records the outcome. */
export async function beginStep(
  attempt: Attempt,
  call: Call,
  options: StepOptions & RedactOptions<unknown>,
  body: ((tools: StepTools) => unknown) | ((tools: StreamTools) => unknown),
  blobs: () => readonly Digest[] = () => [],
): Promise<void> {
  // One that waits before its next try has been tried as often as before.
  const tried = Math.max(call.attempt, attempt.ports.tries?.(call.path) ?? 0)
  call.attempt = tried
  if (parkForNeeds(attempt, call, options.needs, () => beginStep(attempt, call, options, body, blobs))) return
  const attempts = options.attempts ?? 3
  let key: string | undefined
  const began = attempt.ports.clock.now()
  const out = call.kind === 'stream' ? await openStream(attempt, call.path) : undefined
  const breaker = typeof options.breaker === 'string' ? { name: options.breaker } : options.breaker
  for (let number = Math.min(tried + 1, attempts); ; number += 1) {
    if (breaker) await passBreaker(attempt, call, breaker)
    const awake = attempt.ports.awake?.()
    if (awake) await awake
    if (attempt.over) return
    // Whatever holds this host has it begin no other try: it goes on when that lets go.
    if (call.branch.doomed || attempt.holding) return attempt.rest(call)
    call.attempt = number
    attempt.running(call)
    const ran = await runBody(
      attempt,
      call,
      options.timeout === undefined ? undefined : durationMs(options.timeout),
      (signal) => {
        const tools = {
          signal,
          // Hashed when asked for: most bodies do not.
          get idempotencyKey() {
            return (key ??= effectKey(attempt.turn.origin, call.path))
          },
          attempt: number,
          read: readerOf(attempt.ports),
          cost: (amount: number) => reportCost(call, amount),
        }
        return (body as (tools: StepTools | StreamTools) => unknown)(
          out ? Object.assign(tools, { out }) : tools,
        )
      },
    )
    if (breaker)
      attempt.ports.breakers.ended(breaker, attempt.over || ran.aborted ? undefined : !('error' in ran))
    if (attempt.over) return
    if (call.branch.doomed) return attempt.rest(call)
    if (
      isWaystoneError(ran.error, 'need_missing') &&
      parkForNeeds(attempt, call, needOf(ran.error), () => beginStep(attempt, call, options, body, blobs))
    )
      return
    const again = 'error' in ran && number < attempts && isRetryable(ran.error, options) && !ran.aborted
    if (!again) {
      await out?.flush()
      if (attempt.over) return
      const ms = attempt.ports.clock.now() - began
      const outcome = outcomeOf(ran, call.path, options)
      return recordStep(attempt, call, { attempts: number, ms, outcome, stream: out?.digest() }, blobs())
    }
    const waitMs = durationMs(options.backoff ?? 500) * 2 ** (number - 1)
    await waitBefore(attempt, call, Math.min(waitMs, durationMs(options.backoffMax ?? '60s')))
    if (attempt.over) return
    if (call.branch.doomed) return attempt.rest(call)
  }
}

/** Waits, shown as waiting for a time, until the breaker lets one try pass. */
async function passBreaker(attempt: Attempt, call: Call, breaker: BreakerOptions): Promise<void> {
  for (let due = attempt.ports.breakers.pass(breaker); due !== undefined;) {
    const until = due
    await new Promise<void>((resolve) => {
      attempt.park(call, { for: 'time', due: until }, async () => resolve())
    })
    due = attempt.ports.breakers.pass(breaker)
  }
}

/** The pause between two tries, cut short when the body is told to stop. */
async function waitBefore(attempt: Attempt, call: Call, ms: number): Promise<void> {
  const cut = new AbortController()
  call.abort = () => cut.abort()
  attempt.signal.addEventListener('abort', call.abort)
  await attempt.ports.clock.wait(ms, cut.signal)
  attempt.signal.removeEventListener('abort', call.abort)
  call.abort = undefined
}

/** Stores an artifact, as a step does its work, and records its handle. */
export async function beginArtifact(
  attempt: Attempt,
  call: Call,
  name: string,
  content: ArtifactContent | ((tools: StepTools) => ArtifactContent | Promise<ArtifactContent>),
  options: StepOptions & { readonly type?: string; readonly part?: number },
): Promise<void> {
  const { type, part } = options
  let blobs: readonly Digest[] = []
  // What is given can only be given again; what a function makes may succeed when it is called again.
  const attempts = options.attempts ?? (typeof content === 'function' ? 3 : 1)
  const body = async (tools: StepTools): Promise<Artifact> => {
    const made = typeof content === 'function' ? await content(tools) : content
    const { signal } = tools
    const ports: ArtifactBlobs = {
      putBlob: (bytes) => attempt.putBlob(bytes),
      getBlob: (hash) => attempt.ports.getBlob(hash),
    }
    const stored = await storeArtifact(ports, { name, type, content: made, part, signal })
    blobs = stored.blobs
    return stored.handle
  }
  return beginStep(attempt, call, { ...options, attempts }, body, () => blobs)
}

/** What a body gave: a value or an error, and whether it was told to stop. */
export interface Ran {
  readonly value?: unknown
  readonly error?: unknown
  readonly aborted: boolean
  readonly timedOut: boolean
}

/** Runs a body with a signal of its own; after `timeoutMs` the body is told to stop and counts as failed. */
export async function runBody(
  attempt: Attempt,
  call: Call,
  timeoutMs: number | undefined,
  body: (signal: AbortSignal) => unknown,
): Promise<Ran> {
  const controller = new AbortController()
  let timedOut = false
  const stop = (reason: WaystoneError): void => controller.abort(reason)
  const onOver = (): void =>
    stop(new WaystoneError('cancelled', `"${call.path}" is no longer wanted here`, { path: call.path }))
  const late = (): WaystoneError => {
    timedOut = true
    const error = new WaystoneError(
      'step_timeout',
      `"${call.path}" took longer than ${String(timeoutMs)} ms`,
      { path: call.path },
    )
    stop(error)
    return error
  }
  attempt.signal.addEventListener('abort', onOver)
  call.abort = () =>
    stop(new WaystoneError('interrupted', `"${call.path}" was interrupted`, { path: call.path }))
  attempt.meter.work(1)
  const work = new Promise((resolve) => resolve(body(controller.signal)))
  try {
    const { clock } = attempt.ports
    const value = await (timeoutMs === undefined ? work : inTime(clock, timeoutMs, work, late))
    return { value, aborted: controller.signal.aborted, timedOut }
  } catch (error) {
    return { error, aborted: controller.signal.aborted && !timedOut, timedOut }
  } finally {
    attempt.meter.work(-1)
    call.abort = undefined
    attempt.signal.removeEventListener('abort', onOver)
  }
}

/** Parks a call until this place provides what it needs. True when it was parked. */
export function parkForNeeds(
  attempt: Attempt,
  call: Call,
  needs: readonly string[] | undefined,
  again: () => Promise<void>,
): boolean {
  const missing = missingNeed(attempt, needs ?? [])
  if (missing === undefined) return false
  const look = async (): Promise<void> => {
    if (!parkForNeeds(attempt, call, needs, again)) await again()
  }
  attempt.park(call, { for: 'place', ...missing }, look)
  return true
}

/** What is recorded of an outcome, less what `redact` leaves out; a value that cannot be kept becomes an error that says where. */
export function outcomeOf(ran: Ran, path: string, options: RedactOptions<unknown>): Outcome {
  const kept = redacted(ran, path, options)
  if ('error' in kept) return { error: recordedError(kept.error, path) }
  try {
    return { value: encodeValue(kept.value, { where: `the result of "${path}"` }) }
  } catch (error) {
    return { error: toWire(error) }
  }
}

/** An error as recorded: an error of Waystone as it is, any other with its name and message. */
export function recordedError(error: unknown, path: string): ReturnType<typeof toWire> {
  return { ...toWire(error, 'step_failed'), path }
}

async function recordStep(
  attempt: Attempt,
  call: Call,
  done: {
    readonly attempts: number
    readonly ms: number
    readonly outcome: Outcome
    readonly stream?: StreamDigest | undefined
  },
  blobs?: readonly Digest[],
): Promise<void> {
  const { attempts, outcome, stream } = done
  const ms = Math.max(0, Math.round(done.ms))
  const body = {
    path: call.path,
    ...(call.input ? { input: call.input } : {}),
    attempts,
    ms,
    outcome,
    ...(stream ? { stream } : {}),
    ...attempt.meter.take(ms, call.cost),
  }
  try {
    await attempt.record([{ kind: 'step', body, ...(blobs?.length ? { blobs } : {}) }])
  } catch (error) {
    // A result that nowhere has room for is a failed step, not one that runs for ever.
    if ('error' in outcome) throw error
    await attempt.record([
      { kind: 'step', body: { ...body, outcome: { error: recordedError(error, call.path) } } },
    ])
  }
}

/** An error says that trying again is useless by `retryable: false`; so does a value that cannot be kept. */
function isRetryable(error: unknown, { retryIf }: StepOptions): boolean {
  try {
    if (retryIf && !retryIf(error)) return false
  } catch {
    // What it does not know is not tried again: what the body said counts.
    return false
  }
  if (error instanceof WaystoneError) return error.code === 'step_timeout' || error.code === 'unreachable'
  return !(typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false)
}

function needOf(error: WaystoneError): readonly string[] {
  const { details } = error
  return typeof details === 'object' && details !== null && 'need' in details ? [String(details.need)] : []
}
