import { newId, type Digest, type RunId } from '../ids.ts'
import type { Bodies, EntryDraft, RunIdentity, Written } from '../log/bodies.ts'
import type { Fold } from '../log/fold.ts'
import { isSealed } from '../log/public-body.ts'
import { encodeValue } from '../state/codec.ts'
import type { Delta } from '../state/delta.ts'
import { sessionAgent } from '../log/session-agent.ts'
import { writtenBy } from '../log/written.ts'
import type { SessionSetup } from './options.ts'

/** The first entry of a session. Throws `value_refused`. */
export function startDraft(setup: SessionSetup): EntryDraft {
  const state = encodeValue(setup.initial(), { where: 'state' })
  return { kind: 'start', body: { ...identityOf(setup), ...written(setup), state } }
}

/** The first entry of a fork of a session, which has none of its records yet. */
export function forkDraft(setup: SessionSetup, fold: Fold): EntryDraft {
  const { run, head, identity, state, turn } = fold
  const body: Bodies['fork'] = {
    ...identityOf(setup),
    ...written(setup),
    version: identity.version,
    from: { run, ...head },
    ...checkpoint,
    state: encodeValue(state),
    turn,
    ...(isSealed(fold) ? { sealedWith: fold.sealedWith } : {}),
  }
  return { kind: 'fork', body }
}

/** What changed in the state. */
export function commitDraft(
  { turn, identity }: Fold,
  delta: Delta,
  by: string,
  version?: number,
): EntryDraft {
  const next = { type: 'next' } as const
  return { kind: 'commit', body: { turn, rules: 0, version: version ?? identity.version, delta, next, by } }
}

/** The state, brought to the version of the code. */
export function migrateDraft({ identity }: Fold, delta: Delta, to: number): EntryDraft {
  return { kind: 'migrate', body: { from: identity.version, to, config: noConfig, delta } }
}

/** The session back at `target`. Saves are counted on, so that retention knows which are the newest. */
export function rewindDraft(now: Fold, target: Fold, by: string, me: string): EntryDraft {
  const body: Bodies['rewind'] = {
    ...checkpoint,
    version: target.identity.version,
    id: by,
    by: me,
    to: target.head,
    state: encodeValue(target.state),
    turn: now.turn,
  }
  return { kind: 'rewind', body: target.keys.length === 0 ? body : { ...body, keys: target.keys } }
}

/** The name of this checkpoint. */
export function labelDraft(label: string, by: string): EntryDraft {
  return { kind: 'label', body: { path: by, label } }
}

const noConfig = '0'.repeat(64) as Digest
/** Nothing of a session is replayed, and it has no effects. */
const checkpoint = { records: [], effects: [] } as const

function identityOf({ place, version }: SessionSetup): RunIdentity {
  return {
    agent: sessionAgent,
    version,
    config: noConfig,
    input: null,
    place,
    whenGone: 'offer',
    // Between two writes its owner holds nothing: another device need not wait until it counts as gone.
    leaseMs: 0,
  }
}

function written({ random, software }: SessionSetup): Written {
  return writtenBy(random, software)
}

/** The id of a fork that was not given one. */
export function newRun({ random }: SessionSetup): RunId {
  return newId(random) as RunId
}
