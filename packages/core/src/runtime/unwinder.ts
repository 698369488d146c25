import { WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { effectsOff } from '../engine/attempt-ports.ts'
import { Attempt } from '../engine/attempt.ts'
import type { OnceOptions } from '../engine/ctx.ts'
import { durationMs } from '../engine/duration.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import type { Fold } from '../log/fold.ts'
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
}

/** A `once` effect that happened and is to be taken back. */
interface Effect {
  readonly path: string
  readonly start: Digest
  readonly key: string
  readonly value: unknown
  /** The last entry of its turn, as far as the log goes. */
  readonly turnEnd: number
}

/** How often an `undo` is tried before the run pauses, and the first wait between, in ms. */
const triesMax = 3
const retryMsMin = 500

/**
 * Takes a run back as its `unwind` entry says: undoes the effects after the point, newest first, each recorded, then
 * appends the entry that rewinds or cancels. After a crash it goes on where it was. Throws what an `undo` threw after
 * its tries, and `divergence` when the code of a turn has changed so that its `undo` cannot be found.
 */
export async function unwind(log: RunLog, agent: AnyAgent, ports: UnwindPorts): Promise<void> {
  const fold = log.mustFold()
  const order = fold.unwind
  if (order === undefined) return
  const entries = await log.entries(0, fold.head.seq)
  const turns = new Map<number, Promise<Attempt>>()
  const effects = order.undo ? effectsAfter(entries, order.to) : []
  for (const effect of effects.toReversed()) {
    if (ports.isHeld()) return
    const turn = turns.get(effect.turnEnd) ?? replay(log, agent, ports, effect.turnEnd)
    turns.set(effect.turnEnd, turn)
    const options = (await turn).onceOptions(effect.path)
    if (options?.undo === undefined) continue
    const value = await undo(effect, options, ports)
    if (ports.signal.aborted) return
    const { path, start } = effect
    await ports.append([
      {
        kind: 'undo',
        body: { path, start, outcome: { value: encodeValue(value, { where: `the undo of "${path}"` }) } },
      },
    ])
  }
  await ports.append([order.goal === 'cancel' ? cancelled(order) : await rewound(log, order)])
}

/** The effects after an entry that happened and were not undone yet, oldest first. */
function effectsAfter(entries: readonly Entry[], to: number): readonly Effect[] {
  const undone = new Set(entries.flatMap((entry) => (entry.kind === 'undo' ? [entry.body.start] : [])))
  const started = new Map<Digest, string>()
  return entries.flatMap((entry): Effect[] => {
    if (entry.kind === 'once.start') started.set(entry.digest, entry.body.key)
    if (entry.kind !== 'once' || entry.seq <= to || undone.has(entry.body.start)) return []
    const { path, start, outcome } = entry.body
    const key = started.get(start)
    if (key === undefined || !('value' in outcome)) return []
    const end = entries.find(({ seq, kind }) => seq > entry.seq && turnEnds.has(kind))
    return [
      { path, start, key, value: decodeValue(outcome.value), turnEnd: (end?.seq ?? entries.length) - 1 },
    ]
  })
}

const turnEnds = new Set(['commit', 'rewind', 'unwind'])

/** Replays a turn of the past with effects off, for the functions that its calls carry. */
async function replay(log: RunLog, agent: AnyAgent, ports: UnwindPorts, turnEnd: number): Promise<Attempt> {
  const fold = await log.foldAt(turnEnd)
  const attempt = new Attempt(
    agent,
    openTurn(fold, configDigest(agent)),
    effectsOff(ports.clock, ports.place),
    { prove: true },
  )
  const end = await attempt.run()
  if (end.type !== 'diverged') return attempt
  throw new WaystoneError(
    'divergence',
    `turn ${String(fold.turn)} of run ${fold.run} cannot be replayed by this code, so that its effects cannot be undone: expected ${end.expected}, found ${end.found}`,
    { run: fold.run, path: end.path, actions: ['retry', 'fork', 'cancel'] },
  )
}

async function undo(
  { path, key, value }: Effect,
  options: OnceOptions<unknown>,
  { clock, signal }: UnwindPorts,
): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    const controller = new AbortController()
    const over = clock.wait(durationMs(options.timeout), controller.signal).then(() => {
      throw new WaystoneError(
        'step_timeout',
        `the undo of "${path}" took longer than ${String(options.timeout)}`,
        {
          path,
        },
      )
    })
    over.catch(() => undefined)
    signal.addEventListener('abort', () => controller.abort())
    try {
      const tools = { signal: controller.signal, idempotencyKey: key, attempt, value }
      return await Promise.race([options.undo?.(tools), over])
    } catch (error) {
      if (attempt >= triesMax || signal.aborted) throw error
      await clock.wait(retryMsMin * 2 ** (attempt - 1), signal)
    } finally {
      controller.abort()
    }
  }
}

function cancelled({ id, by, reason }: NonNullable<Fold['unwind']>): EntryDraft {
  return { kind: 'cancel', body: { id, by, reason: reason ?? '' } }
}

async function rewound(log: RunLog, { id, by, to, state }: NonNullable<Fold['unwind']>): Promise<EntryDraft> {
  const target = await log.foldAt(to)
  const entries = await log.entries(0, log.mustFold().head.seq)
  const undone = new Set(entries.flatMap((entry) => (entry.kind === 'undo' ? [entry.body.start] : [])))
  const after = entries.filter(
    (entry) => entry.seq > to && !(entry.kind === 'once.start' && undone.has(entry.digest)),
  )
  const checkpoint = checkpointOf(target, after, state)
  return { kind: 'rewind', body: { id, by, to: target.head, ...checkpoint } }
}
