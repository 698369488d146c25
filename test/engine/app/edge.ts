import { agentsOf } from '../engine-cases.ts'
import { KillableObject, killableRoutes, type KillableEnv } from './killable-object.ts'

/** A run of a case. */
export class EngineObject extends KillableObject<KillableEnv> {
  constructor(ctx: DurableObjectState, env: KillableEnv) {
    super(ctx, env, agentsOf)
  }
}

export default killableRoutes
