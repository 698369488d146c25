import { asked } from './moves.ts'
import type { ChaosRun, Round } from './round.ts'
import type { Victim } from './tally.ts'

/** A point at which something is killed. */
export interface Moment {
  readonly name: string
  readonly victims: readonly Victim[]
  /** True for points that only a device with an edge has. */
  readonly needsEdge: boolean
  /** Resolves when the point is reached: the kill follows at once. */
  reach(round: Round): Promise<Caught>
}

/** A point that was reached. */
export interface Caught {
  /** How long it takes from the kill until anything is opened again says nothing. */
  readonly takesTime?: true
  /** After the kill, before anything is opened or started again. */
  away?(): Promise<void>
}

const randomMsMax = 800
/** What is held back is let go after this, in ms, should the point not come. */
const holdMsMax = 15_000

/** Any time at all. */
export async function atRandom({ random }: Round): Promise<Caught> {
  const ms = random.whole(0, randomMsMax)
  await new Promise((resolve) => setTimeout(resolve, ms))
  return {}
}

/** When the device has just asked the edge by a route. */
export function whileAsked(route: string): Moment['reach'] {
  return async ({ stage }) => {
    await asked(stage.network, route, 'pass')
    return {}
  }
}

/** When an effect of a run has happened and its answer is still out. */
export function during(runOf: (round: Round) => Promise<ChaosRun>, what: 'pay' | 'left'): Moment['reach'] {
  return async (round) => {
    const held = await hold(round, await runOf(round), what)
    return {
      away() {
        held.release()
        return Promise.resolve()
      },
    }
  }
}

/** When the answer of an effect is on its way to the disk: at some time in the next milliseconds. */
export function after(runOf: (round: Round) => Promise<ChaosRun>, msMax: number): Moment['reach'] {
  return async (round) => {
    const held = await hold(round, await runOf(round), 'first')
    held.release()
    await new Promise((resolve) => setTimeout(resolve, round.random.whole(0, msMax)))
    return {}
  }
}

async function hold({ stage }: Round, run: ChaosRun, what: string): Promise<{ release(): void }> {
  const held = stage.effects.hold(`/effect/${run.id}.${what}`)
  const timer = setTimeout(() => held.release(), holdMsMax)
  await held.arrived
  clearTimeout(timer)
  return held
}
