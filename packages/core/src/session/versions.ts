import { WaystoneError } from '../errors.ts'
import type { Fold } from '../log/fold.ts'
import type { Value } from '../state/codec.ts'
import { migrateState } from '../state/migrate-state.ts'
import type { SessionSetup } from './options.ts'

/** States as the version of the code here has them. */
export class Versions {
  readonly #setup: Pick<SessionSetup, 'run' | 'version' | 'migrate'>
  /** The newest one that was brought here: it is asked for again and again until it is written. */
  #newest: { readonly from: Value; readonly version: number; readonly to: Value } | undefined

  constructor(setup: Pick<SessionSetup, 'run' | 'version' | 'migrate'>) {
    this.#setup = setup
  }

  /**
   * The state of a fold. Throws `version_skew` when it is newer than the code or the code has no way from its version, and
   * whatever a migration throws.
   */
  stateOf({ state, identity }: Pick<Fold, 'state' | 'identity'>): Value {
    const { version } = identity
    if (version === this.#setup.version) return state
    const known = this.#newest
    if (known?.version === version && Object.is(known.from, state)) return known.to
    const to = this.#migrated(state, version)
    this.#newest = { from: state, version, to }
    return to
  }

  #migrated(state: Value, from: number): Value {
    const { run, version, migrate } = this.#setup
    if (from > version)
      throw skew(
        run,
        `has a state of version ${String(from)}, and the code here is version ${String(version)}: update the code here`,
      )
    return migrateState(state, { from, to: version, migrate }, (to) =>
      skew(
        run,
        `has a state of version ${String(from)}, and there is no \`migrate[${String(to)}]\`: add it (\`(state) => state\` when the shape stayed)`,
      ),
    )
  }
}

function skew(run: string, why: string): WaystoneError {
  return new WaystoneError('version_skew', `session ${run} ${why}`, { run, actions: ['retry', 'fork'] })
}
