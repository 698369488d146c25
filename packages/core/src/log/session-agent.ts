import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import type { Fold } from './fold.ts'

/** Stands for the agent in a session, which has none: no agent can have this name. */
export const sessionAgent = ''

/** True for the log of a session. */
export function isSession(fold: Fold | undefined): boolean {
  return fold?.identity.agent === sessionAgent
}

/** A session was asked for as if it were a run: whoever runs agents must not write it. */
export function sessionIsNoRun(run: RunId): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `${run} is a session, not a run of an agent: open it with \`openSession\``,
    { run },
  )
}
