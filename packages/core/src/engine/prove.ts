import type { AnyAgent } from './agent.ts'
import type { AttemptEnd } from './attempt-end.ts'
import { effectsOff, type AttemptPorts, type OpenTurn } from './attempt-ports.ts'
import { Attempt } from './attempt.ts'

/**
 * Replays the open turn of a log with effects off: the one mechanism behind resuming under other code and moving.
 * Resolves with `caught up` or a divergence; a turn that stands still for `patience` counts as diverged.
 */
export function prove(
  agent: AnyAgent,
  turn: OpenTurn,
  ports: Pick<AttemptPorts, 'clock' | 'place'>,
): Promise<AttemptEnd> {
  const changed = (): void => {
    const { standing } = attempt.live()
    if (standing) attempt.finish({ type: 'diverged', path: standing.path ?? '', ...standing })
  }
  const attempt: Attempt = new Attempt(
    agent,
    turn,
    { ...effectsOff(ports.clock, ports.place), changed },
    { prove: true },
  )
  return attempt.run()
}
