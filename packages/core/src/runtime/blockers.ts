import type { AnyAgent } from '../engine/agent.ts'
import type { AttemptEnd } from '../engine/attempt-end.ts'
import { Rehearsal } from '../engine/rehearsal.ts'
import { limits } from '../limits.ts'
import type { Fold } from '../log/fold.ts'
import type { Clock } from '../ports/clock.ts'
import type { Place } from '../ports/log-store.ts'
import { encodeValue, type Value } from '../state/codec.ts'
import { utf8 } from '../state/digest.ts'
import { agentUnknown, configDigest, divergence, openTurn } from './open-turn.ts'

/** Where a run is to go. */
export interface Target {
  readonly clock: Clock
  readonly place: Place
  agent(name: string): AnyAgent | undefined
}

/**
 * Why a run cannot go on at a place, in words: its agent or what that needs is not there, the state is too large, or the
 * open turn cannot be replayed by the code there. Nothing of the turn is started. Empty when it can.
 */
export async function blockersOf(fold: Fold, target: Target): Promise<readonly string[]> {
  const { blockers, rehearsal } = await rehearse(fold, target)
  rehearsal?.drop()
  return blockers
}

/** What a replay of an open turn has shown. */
export interface Rehearsed {
  readonly blockers: readonly string[]
  /** Those of them that are none of the code's: with other code a run can be taken all the same, and pauses. */
  readonly lacks: readonly string[]
  /** The calls that it has left open. */
  readonly open: Extract<AttemptEnd, { type: 'caught up' }>['open']
  /** The replay itself, which the caller drops or hands on; undefined when there was nothing to replay. */
  readonly rehearsal: Rehearsal | undefined
}

/** `blockersOf`, and the replay of the open turn. */
export async function rehearse(fold: Fold, { clock, place, agent: find }: Target): Promise<Rehearsed> {
  const agent = find(fold.identity.agent)
  const lacks = [
    ...lacksOf(fold, { place, agent: find }),
    ...(agent && place === 'edge' ? tooLarge(fold) : []),
  ]
  // A run on its way back leaves its open turn: that need not be replayed.
  if (agent === undefined || fold.unwind) return { blockers: lacks, lacks, open: [], rehearsal: undefined }
  const rehearsal = new Rehearsal(agent, openTurn(fold, configDigest(agent)), { clock, place })
  const proof = await rehearsal.proof
  const blockers = proof.type === 'diverged' ? [...lacks, divergence(fold, proof).message] : lacks
  return { blockers, lacks, open: proof.type === 'caught up' ? proof.open : [], rehearsal }
}

/** `blockersOf` as far as nothing of the run has to be read for it. */
export function lacksOf(fold: Fold, { place, agent: find }: Omit<Target, 'clock'>): readonly string[] {
  const agent = find(fold.identity.agent)
  if (agent === undefined) return [agentUnknown(fold).message]
  const lacks = Object.entries(agent.needs).flatMap(([name, { at }]) =>
    (at === undefined || at === place) && agent.provided[name] === undefined ? [name] : [],
  )
  return lacks.length === 0 ? [] : [`${place} does not provide ${lacks.join(', ')}`]
}

/** How large states are that were asked about: a move asks twice, and the second time the run stands still. */
const sizes = new WeakMap<object, number>()

function sizeOf(state: Value): number {
  const known = typeof state === 'object' && state !== null ? sizes.get(state) : undefined
  if (known !== undefined) return known
  const bytes = utf8(JSON.stringify(encodeValue(state))).byteLength
  if (typeof state === 'object' && state !== null) sizes.set(state, bytes)
  return bytes
}

function tooLarge(fold: Fold): readonly string[] {
  const bytes = sizeOf(fold.state)
  if (bytes <= limits.stateBytesMax) return []
  return [
    `its state has ${String(bytes)} bytes, and the edge takes ${String(limits.stateBytesMax)}: keep large parts as artifacts`,
  ]
}
