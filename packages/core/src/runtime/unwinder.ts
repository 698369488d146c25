import { isWaystoneError, WaystoneError } from '../errors.ts'
import type { Digest, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { readerOf } from '../engine/artifacts.ts'
import type { OnceOptions } from '../engine/ctx.ts'
import { durationMs, type Duration } from '../engine/duration.ts'
import { inTime } from '../engine/in-time.ts'
import { reportCost } from '../engine/meter.ts'
import { redactedError } from '../engine/redact.ts'
import { Rehearsal } from '../engine/rehearsal.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import type { Fold } from '../log/fold.ts'
import { isDamage } from '../log/damage.ts'
import type { RunLog } from '../log/run-log.ts'
import type { Clock } from '../ports/clock.ts'
import type { Place } from '../ports/log-store.ts'
import { decodeValue, encodeValue } from '../state/codec.ts'
import { checkpointOf } from './first-entry.ts'
import { configDigest, openTurn } from './open-turn.ts'

/** What taking a run back needs of its host. */
export interface UnwindPorts {
  readonly clock: Clock
  readonly place: Place
  readonly signal: AbortSignal
  /** True while the run is about to move: whoever owns it then goes on. */
  isHeld(): boolean
  append(drafts: readonly EntryDraft[]): Promise<unknown>
  getBlob(hash: Digest): Promise<Uint8Array | undefined>
}

/** A `once` effect that happened and is to be taken back. */
interface Effect {
  readonly path: string
  readonly start: Digest
  readonly key: string
  readonly value: unknown
  /** The entry that recorded its outcome. */
  readonly seq: number
}

/** How often an `undo` is tried before the run pauses, and the first wait between, in ms. */
const triesMax = 3
const retryMsMin = 500

/**
 * Takes a run back as its `unwind` entry says: undoes the effects after the point, newest first, each recorded, then
 * appends the entry that rewinds or cancels. After a crash it goes on where it was. Throws what an `undo` threw after
 * its tries, and `divergence` when the code of a turn has changed so that its `undo` cannot be found. False when it is not there,
 * since it was refused or this host does not go on with it.
 */
export async function unwind(log: RunLog, agent: AnyAgent, ports: UnwindPorts): Promise<boolean> {
  const fold = log.mustFold()
  const order = fold.unwind
  if (order === undefined) return false
  const back = await readBack(log, order)
  // Before any effect is undone for it.
  if ('reason' in back) return refused(ports, order, back.reason)
  const { entries } = back
  const spoiled = order.goal === 'rewind' ? undoneBefore(fold, entries, order.to) : undefined
  if (spoiled !== undefined) return refused(ports, order, spoiledBy(order, spoiled))
  if (order.undo) refuseGone(fold, order.to, entries[0]?.seq ?? 0)
  const effects = order.undo ? effectsAfter(fold, entries, order.to) : []
  for (const effect of effects.toReversed()) {
    if (ports.isHeld()) return false
    const options = await optionsOf(effect, log, agent, ports)
    if (options.undo === undefined) continue
    const { path, start } = effect
    const reported = { path, cost: 0 }
    const value = await undo(effect, options, ports, reported)
    if (ports.signal.aborted) return false
    // What an undo gives is nothing that `redact` knows.
    const kept = options.redact === undefined ? value : undefined
    const outcome = { value: asFarAsKept(kept) }
    const cost = reported.cost === 0 ? {} : { cost: reported.cost }
    await ports.append([{ kind: 'undo', body: { path, start, outcome, ...cost } }])
  }
  await ports.append([order.goal === 'cancel' ? cancelled(order) : await rewound(log, order)])
  return true
}

/**
 * The effects that this run has started, that happened after an entry, or were said to have, and that were not undone yet,
 * oldest first. Throws `outcome_unknown` for one that nobody knows about: it could be undone only if it happened.
 */
function effectsAfter({ run, onces }: Fold, entries: readonly Entry[], to: number): readonly Effect[] {
  const known = byName(onces)
  const open = new Map<string, Extract<Entry, { kind: 'once.start' }>>()
  const effects = new Map<string, Effect>()
  for (const entry of entries) {
    if (entry.seq <= to) continue
    if (entry.kind === 'once.start') open.set(entry.body.key, entry)
    if (entry.kind !== 'once') continue
    const { path, start, outcome } = entry.body
    const once = known.get(start)
    // What the source of a fork has done is not taken back by the fork.
    if (once === undefined) continue
    const { key } = once
    open.delete(key)
    if ('value' in outcome && !once.undone)
      effects.set(key, { path, start, key, value: decodeValue(outcome.value), seq: entry.seq })
  }
  for (const { digest: start, seq, body } of open.values()) {
    const { path, key } = body
    const decided = entries.findLast(
      (entry) => entry.kind === 'decide' && (entry.body.start === start || entry.body.start === key),
    )
    const decision = decided?.kind === 'decide' ? decided.body.decision : undefined
    if (decision?.type === 'failed' || known.get(key)?.undone) continue
    if (decision?.type !== 'done') throw unknownOutcome(run, start, body)
    effects.set(key, { path, start, key, value: decodeValue(decision.value), seq })
  }
  return [...effects.values()].sort((a, b) => a.seq - b.seq)
}

function unknownOutcome(
  run: RunId,
  start: Digest,
  { path, key }: { readonly path: string; readonly key: string },
): WaystoneError {
  return new WaystoneError(
    'outcome_unknown',
    `run ${run} started "${path}" and does not know how it ended, so that it cannot tell whether to undo it. Look it up by its key ${key}, then decide: done or failed`,
    { run, path, details: { start, key }, actions: ['decide', 'fork', 'cancel'] },
  )
}

/** The effects that a run has started, by what entries call them. */
function byName(onces: Fold['onces']): ReadonlyMap<string, Fold['onces'][number]> {
  return new Map(onces.flatMap((once) => [once.key, ...once.starts].map((name) => [name, once])))
}

/** Throws `checkpoint_gone` for an effect whose turn was let go: its `undo` can only be found by replaying that. */
function refuseGone({ onces, run }: Fold, to: number, first: number): void {
  const lost = onces.find(
    ({ seq, outcome, undone }) => seq > to && seq < first && !undone && outcome && 'value' in outcome,
  )
  if (lost === undefined) return
  throw new WaystoneError(
    'checkpoint_gone',
    `"${lost.path}" of run ${run} cannot be undone: the entries of its turn were let go, as its agent's retention says. Go back without undoing`,
    { run, path: lost.path, details: { key: lost.key }, actions: ['rewind', 'fork', 'cancel'] },
  )
}

/** The path of an effect that the state at an entry counts on and that was undone since. */
function undoneBefore({ onces }: Fold, entries: readonly Entry[], to: number): string | undefined {
  const known = byName(onces)
  const first = entries[0]?.seq ?? 0
  let at = to
  // Back along the way that led there: what a rewind has left behind is no part of it.
  while (at >= first) {
    const entry = entries[at - first]
    if (entry?.kind === 'once' && known.get(entry.body.start)?.undone) return entry.body.path
    at = entry?.kind === 'rewind' ? entry.body.to.seq : at - 1
  }
  return onces.find(({ seq, undone: isUndone }) => isUndone && seq <= at)?.path
}

async function refused(
  { append }: Pick<UnwindPorts, 'append'>,
  { id }: NonNullable<Fold['unwind']>,
  reason: string,
): Promise<false> {
  await append([{ kind: 'refuse', body: { id, type: 'rewind', reason } }])
  return false
}

/** What was written since the point, or why that, or the point, cannot be read any more. */
async function readBack(
  log: RunLog,
  order: NonNullable<Fold['unwind']>,
): Promise<{ readonly entries: readonly Entry[] } | { readonly reason: string }> {
  try {
    if (order.goal === 'rewind') await log.foldAt(order.to)
    return { entries: await log.entries(0, log.mustFold().head.seq) }
  } catch (error) {
    if (order.goal !== 'rewind') throw error
    const at = String(order.to)
    if (isWaystoneError(error, 'checkpoint_gone'))
      return {
        reason: `entry ${at} was let go, as the agent's retention says: rewind to a checkpoint that is kept`,
      }
    if (isDamage(error))
      return { reason: `what leads back to entry ${at} is damaged: fork from a checkpoint that can be read` }
    throw error
  }
}

function spoiledBy({ to }: NonNullable<Fold['unwind']>, path: string): string {
  return `"${path}" was undone, and the state at entry ${String(to)} counts on it: rewind to an entry before it`
}

/**
 * The options that the turn gave an effect: it is replayed with effects off, as far as it was when the outcome was
 * recorded, since a retry may have dropped records since.
 */
async function optionsOf(
  { path, seq }: Effect,
  log: RunLog,
  agent: AnyAgent,
  ports: UnwindPorts,
): Promise<OnceOptions<unknown>> {
  const fold = await log.foldAt(seq)
  const turn = openTurn(fold, configDigest(agent))
  const rehearsal = new Rehearsal(agent, turn, ports)
  const end = await rehearsal.proof
  const options = rehearsal.onceOptions(path)
  rehearsal.drop()
  if (options) return options
  const found =
    end.type === 'diverged' ? `expected ${end.expected}, found ${end.found}` : `no call of "${path}"`
  throw new WaystoneError(
    'divergence',
    `turn ${String(fold.turn)} of run ${fold.run} cannot be replayed by this code, so that its effect "${path}" cannot be undone: ${found}`,
    { run: fold.run, path, actions: ['retry', 'fork', 'cancel'] },
  )
}

async function undo(
  { path, key, value }: Effect,
  options: OnceOptions<unknown>,
  { clock, signal, getBlob }: UnwindPorts,
  reported: { readonly path: string; cost: number },
): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    const controller = new AbortController()
    const onStop = (): void => controller.abort()
    signal.addEventListener('abort', onStop)
    try {
      const read = readerOf({ getBlob })
      const cost = (amount: number): void => reportCost(reported, amount)
      const tools = { signal: controller.signal, idempotencyKey: key, attempt, value, read, cost }
      const work = (async () => options.undo?.(tools))()
      return await inTime(clock, durationMs(options.timeout), work, () => tooSlow(path, options.timeout))
    } catch (error) {
      if (attempt >= triesMax || signal.aborted) throw redactedError(error, path, options)
      await clock.wait(retryMsMin * 2 ** (attempt - 1), signal)
    } finally {
      controller.abort()
      signal.removeEventListener('abort', onStop)
    }
  }
}

/** What an `undo` gave, or undefined for what cannot be kept: it has happened, and goes on from no value. */
function asFarAsKept(value: unknown): Json {
  try {
    return encodeValue(value)
  } catch {
    return encodeValue(undefined)
  }
}

function tooSlow(path: string, timeout: Duration): WaystoneError {
  return new WaystoneError('step_timeout', `the undo of "${path}" took longer than ${String(timeout)}`, {
    path,
  })
}

function cancelled({ id, by, reason }: NonNullable<Fold['unwind']>): EntryDraft {
  return { kind: 'cancel', body: { id, by, reason: reason ?? '' } }
}

async function rewound(log: RunLog, { id, by, to, state }: NonNullable<Fold['unwind']>): Promise<EntryDraft> {
  const target = await log.foldAt(to)
  const now = log.mustFold()
  const undone = new Set(now.onces.flatMap((once) => (once.undone ? [once.key] : [])))
  const checkpoint = checkpointOf(target, now, state)
  // What was undone may be done again without a word; whatever key it was started under, and however often.
  const effects = checkpoint.effects.filter(({ key }) => !undone.has(key))
  // An edited state is one of the version that the run has now.
  const { version } = (state === undefined ? target : now).identity
  return { kind: 'rewind', body: { id, by, to: target.head, version, ...checkpoint, effects } }
}
