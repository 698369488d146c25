import type { AnyAgent } from './agent.ts'
import type { AttemptEnd } from './attempt-end.ts'
import { effectsOff, type AttemptPorts, type OpenTurn } from './attempt-ports.ts'
import { Attempt } from './attempt.ts'
import type { OnceOptions } from './ctx.ts'

/**
 * A replay of an open turn with effects off: the one mechanism behind resuming under other code and moving. Once it has caught up
 * it stands there, so that a host can go on from it in the place of a replay of its own. Whoever has one drops it, or hands it on.
 */
export class Rehearsal {
  readonly #attempt: Attempt
  /** Resolves with `caught up`, a divergence, or the end of the turn. A turn that stands still for `patience` counts as diverged. */
  readonly proof: Promise<AttemptEnd>

  constructor(agent: AnyAgent, turn: OpenTurn, { clock, place }: Pick<AttemptPorts, 'clock' | 'place'>) {
    const caughtUp = Promise.withResolvers<AttemptEnd>()
    const changed = (): void => {
      const { standing } = attempt.live()
      if (standing) attempt.finish({ type: 'diverged', path: standing.path ?? '', ...standing })
    }
    const attempt: Attempt = new Attempt(
      agent,
      turn,
      { ...effectsOff(clock, place), changed },
      { caughtUp: (open) => caughtUp.resolve({ type: 'caught up', open }) },
    )
    this.#attempt = attempt
    this.proof = Promise.race([caughtUp.promise, attempt.run()])
  }

  /** True for the code that it was made with, which may be provided with other things by now. */
  isOf({ turn, version }: AnyAgent): boolean {
    const { agent } = this.#attempt
    return agent.turn === turn && agent.version === version
  }

  /** The options that the turn gave a `once`, as far as it was replayed. */
  onceOptions(path: string): OnceOptions<unknown> | undefined {
    return this.#attempt.onceOptions(path)
  }

  /**
   * The attempt at this turn that goes on from here in earnest, with what was recorded since; undefined, and it is dropped, when it
   * is of other code or of another turn, or over.
   */
  goOn(agent: AnyAgent, turn: OpenTurn, ports: AttemptPorts): Attempt | undefined {
    const attempt = this.#attempt
    // What development looks at was not looked at in this replay.
    const isFit = !attempt.over && ports.development !== true && this.isOf(agent)
    if (isFit && isBeginningOf(attempt.turn, turn)) {
      attempt.goOn(agent, turn, ports)
      return attempt
    }
    this.drop()
    return undefined
  }

  /** Nothing of it counts any more. */
  drop(): void {
    this.#attempt.giveUp()
  }
}

/** Replays an open turn as far as it is recorded. */
export async function prove(
  agent: AnyAgent,
  turn: OpenTurn,
  ports: Pick<AttemptPorts, 'clock' | 'place'>,
): Promise<AttemptEnd> {
  const rehearsal = new Rehearsal(agent, turn, ports)
  try {
    return await rehearsal.proof
  } finally {
    rehearsal.drop()
  }
}

/** True when a turn is the same one, later: of the very same state, and what was recorded then comes first. */
function isBeginningOf(before: OpenTurn, now: OpenTurn): boolean {
  return (
    before.turn === now.turn &&
    before.origin === now.origin &&
    before.config === now.config &&
    before.state === now.state &&
    before.records.every(({ digest, inert }, at) => {
      const record = now.records[at]
      return record?.digest === digest && record.inert === inert
    })
  )
}
