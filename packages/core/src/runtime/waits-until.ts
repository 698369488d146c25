import type { Call } from '../engine/call.ts'
import { prove } from '../engine/rehearsal.ts'
import type { Fold } from '../log/fold.ts'
import type { Target } from './blockers.ts'
import { configDigest, openTurn } from './open-turn.ts'

/**
 * Until when a run does nothing but wait, in ms since 1970: for a time, an answer or a message. `Infinity` when only its
 * inbox can bring it on, 0 when there is something to do, or nobody here can say. The open turn is replayed to find out:
 * its log does not tell of steps that were under way beside what waits.
 */
export async function waitsUntil(
  fold: Fold,
  { clock, place, agent: find }: Pick<Target, 'clock' | 'place' | 'agent'>,
): Promise<number> {
  if (fold.unwind) return 0
  if (fold.due !== undefined && fold.due > clock.now()) return fold.due
  const agent = find(fold.identity.agent)
  if (agent === undefined) return 0
  const end = await prove(agent, openTurn(fold, configDigest(agent)), { clock, place })
  return end.type === 'caught up' && end.open.length > 0 ? Math.min(...end.open.map(dueOf)) : 0
}

function dueOf({ family, start }: Pick<Call, 'family' | 'start'>): number {
  switch (family) {
    case 'ask':
      return start?.kind === 'ask' ? (start.body.due ?? Infinity) : 0
    case 'sleep':
      return start?.kind === 'sleep' ? start.body.due : 0
    case 'receive':
      return Infinity
    default:
      // A race makes its call once it is decided: that is to be recorded.
      return 0
  }
}
