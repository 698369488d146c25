import { effectKey } from '../engine/paths.ts'
import { toWire, WaystoneError } from '../errors.ts'
import { isDigest, type Digest } from '../ids.ts'
import type { EffectAfter, EntryDraft } from '../log/bodies.ts'
import {
  damagedTails,
  damageOfTails,
  effectsStarted,
  parseReadable,
  type Damage,
  type DamagedTail,
  type EffectRead,
} from '../log/damage.ts'
import { mayFollowEnd } from '../log/fold.ts'
import type { RunLog } from '../log/run-log.ts'
import type { Tails } from '../ports/tails.ts'

/**
 * The damage after which nothing has been added to a log: its newest entries were set aside, or all of them cannot be read, and
 * neither have they come back from elsewhere nor has anybody decided to go on without them.
 */
export async function unresolvedDamage(log: RunLog, tails: Pick<Tails, 'list'>): Promise<Damage | undefined> {
  const seq = (log.fold?.head.seq ?? -1) + 1
  return log.damage?.seq === seq ? log.damage : damageOfTails(await tails.list(log.run), seq, log.cipher)
}

/**
 * The entry of a run that lost its newest entries to damage: a person looks at what they did before it goes on, and is
 * asked about each effect that they had started when it is reached again. Undefined when nothing is missing, or what was
 * has come back from elsewhere. A host that died between setting aside and this entry is known by the tail.
 */
export async function damagePause(log: RunLog, tails: Pick<Tails, 'list'>): Promise<EntryDraft | undefined> {
  const damage = await unresolvedDamage(log, tails)
  if (damage === undefined) return undefined
  const { run, turn, head, origin } = log.mustFold()
  const { seq, reason } = damage
  const lost = [...(await lostBefore(log, tails, seq)), ...damage.effects]
  const all = new Map(lost.map((effect) => [JSON.stringify(effect), effect]))
  const effects = [...all.values()].map((effect) => effectRead(effect, origin))
  const done = effects.length === 0 ? '' : `; they started ${effects.map(named).join(', ')}`
  const error = new WaystoneError(
    'log_damaged',
    `run ${run} goes on in turn ${String(turn)} from entry ${String(head.seq)}: what came after it was ${reason}${done}. It was set aside, to be looked at`,
    { run, details: { seq, effects }, actions: ['retry', 'rewind', 'fork', 'cancel'] },
  )
  return {
    kind: 'pause',
    body: {
      reason: 'set aside',
      error: toWire(error),
      actions: ['retry', 'rewind', 'fork', 'cancel'],
      ...(effects.length > 0 ? { effects } : {}),
    },
  }
}

/** How far back it is looked whether anything was done since what was set aside, in entries. */
const sinceMax = 100

/**
 * The effects that were started in what was set aside before, with nothing done since: the pause that told of them may be what is
 * damaged now.
 */
async function lostBefore(log: RunLog, tails: Pick<Tails, 'list'>, seq: number): Promise<Damage['effects']> {
  const all = damagedTails(await tails.list(log.run))
  const own = all.findLast(({ first }) => first === seq)
  const before = all.filter((tail) => tail !== own && tail.first <= seq && seq - tail.first <= sinceMax)
  // Set aside behind what is damaged now, where nothing stands that would have told of it.
  const behind = all.filter((tail) => own && tail.first > seq && !hasPause(own, tail.first))
  const oldest = Math.min(seq, ...before.map(({ first }) => first))
  const since = oldest === seq ? [] : await log.entries(oldest, seq - 1)
  const done = since.findLast(({ kind }) => !mayFollowEnd(kind))?.seq ?? -1
  const untold = [...before.filter(({ first }) => first > done), ...behind]
  return untold.flatMap(({ lines }) => effectsStarted(lines, log.cipher))
}

/** True when a tail has a pause that can be read, at this entry or behind it. */
function hasPause({ first, lines }: DamagedTail, seq: number): boolean {
  return lines.slice(seq - first).some((line) => parseReadable(line)?.kind === 'pause')
}

/** An effect that was read. Where its path and its key do not fit together, there is no saying which of them is damaged. */
function effectRead({ path, key, origin }: EffectRead, before: Digest): EffectAfter {
  const from = origin ?? before
  const own = effectKey(from, path)
  return { path, key: own, ...(key !== own && isDigest(key) ? { read: { key, origin: from } } : {}) }
}

function named({ path, key, read }: EffectAfter): string {
  return `"${path}" (key ${key}${read ? ` or ${read.key}` : ''})`
}
