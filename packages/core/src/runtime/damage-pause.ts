import { toWire, WaystoneError } from '../errors.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Damage } from '../log/damage.ts'
import type { Fold } from '../log/fold.ts'

/**
 * The entry of a run that lost its newest entries to damage: a person looks at what they did before it goes on. Undefined
 * when nothing is missing, or what was has come back from elsewhere.
 */
export function damagePause({ run, turn, head }: Fold, damage: Damage | undefined): EntryDraft | undefined {
  if (damage === undefined || damage.seq !== head.seq + 1) return undefined
  const { seq, reason, effects } = damage
  const done =
    effects.length === 0
      ? ''
      : `; they started ${effects.map(({ path, key }) => `"${path}" (key ${key})`).join(', ')}`
  const error = new WaystoneError(
    'log_damaged',
    `run ${run} goes on in turn ${String(turn)} from entry ${String(seq - 1)}: what came after it was ${reason}${done}. It was set aside, to be looked at`,
    { run, details: { seq, effects }, actions: ['retry', 'rewind', 'fork', 'cancel'] },
  )
  return {
    kind: 'pause',
    body: { reason: 'set aside', error: toWire(error), actions: ['retry', 'rewind', 'fork', 'cancel'] },
  }
}
