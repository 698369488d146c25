import { WaystoneError } from '../errors.ts'
import type { AnyAgent } from '../engine/agent.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Fold } from '../log/fold.ts'
import type { Value } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import { migrateState } from '../state/migrate-state.ts'
import { configDigest } from './open-turn.ts'

/** True when the state has to be brought to the version of the code, before a turn begins. */
export function isOfOtherVersion({ identity, records }: Fold, { version }: AnyAgent): boolean {
  return version !== identity.version && records.length === 0
}

/**
 * The entry that brings the state to the version of the code, before a turn begins; undefined when none is due. A turn
 * that has begun goes on with the state it has, as long as its code can be replayed. Throws `version_skew` when the code
 * is older than the state or has no way from its version, and whatever a migration throws.
 */
export function migration(
  fold: Fold,
  agent: AnyAgent,
): { readonly draft: EntryDraft; readonly state: Value } | undefined {
  const { version } = fold.identity
  if (!isOfOtherVersion(fold, agent)) return undefined
  if (agent.version < version) throw olderCode(fold, agent)
  const way = { from: version, to: agent.version, migrate: agent.migrate }
  const migrated = migrateState(fold.state, way, (to) => noWay(fold, agent, to))
  const body = {
    from: version,
    to: agent.version,
    config: configDigest(agent),
    delta: diff(fold.state, migrated),
  }
  return { draft: { kind: 'migrate', body }, state: migrated }
}

function olderCode({ run, identity }: Fold, agent: AnyAgent): WaystoneError {
  return new WaystoneError(
    'version_skew',
    `run ${run} has a state of version ${String(identity.version)} of agent ${agent.name}, and the code here is version ${String(agent.version)}: update the code here, or move the run to where it is newer`,
    { run, actions: ['retry', 'move', 'fork', 'cancel'] },
  )
}

function noWay({ run, identity }: Fold, agent: AnyAgent, to: number): WaystoneError {
  return new WaystoneError(
    'version_skew',
    `run ${run} has a state of version ${String(identity.version)} of agent ${agent.name}, and the code here has no \`migrate[${String(to)}]\`: add it (\`(state) => state\` when the shape stayed), then retry`,
    { run, details: { expected: to, found: identity.version }, actions: ['retry', 'fork', 'cancel'] },
  )
}
