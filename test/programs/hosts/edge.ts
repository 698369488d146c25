import { KillableObject, killableRoutes, type KillableEnv } from '../../engine/app/killable-object.ts'
import { servedChat } from './served-chat.ts'
import { servedHelpDesk } from './served-help-desk.ts'

interface Env extends KillableEnv {
  readonly SERVICE: string
}

/** A run of a program. */
export class ProgramObject extends KillableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env, () => [servedChat(env.SERVICE), servedHelpDesk(env.SERVICE)])
  }
}

export default killableRoutes
