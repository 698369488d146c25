import { isWaystoneError, type MoveTarget } from '@waystone/core'
import { poll } from '../harness/poll.ts'
import type { ToldView } from './app/page.ts'
import type { EdgeEntry } from './edge-watch.ts'
import { lasting, type ChaosRun, type Round } from './round.ts'
import { count } from './tally.ts'

/** How long steps under way may take when a run is moved. */
const drainMs = 50
const moveMsMax = 30_000

/** A run that the device owns, brought back from the edge when it has none. */
export async function ownRun(round: Round): Promise<ChaosRun> {
  const { random, tab } = round
  for (const run of random.shuffled(lasting(round))) {
    const view = await tab.ask<ToldView | undefined>('view', run.id)
    if (view?.owner === tab.device) return run
  }
  const run = random.pick(lasting(round))
  await move(round, run, 'here')
  return run
}

/** Sees to it that a run is at the edge. */
export async function toEdge(round: Round): Promise<ChaosRun> {
  const run = round.random.pick(lasting(round))
  await move(round, run, 'edge')
  return run
}

/** Moves a run, again when that is refused; one that is there already stays. Rejects when it is refused for too long. */
export async function move({ tab, tally }: Round, run: ChaosRun, to: MoveTarget): Promise<void> {
  let last: unknown
  await poll(
    async () => {
      try {
        await tab.ask('move', run.id, to, drainMs)
        return true
      } catch (error) {
        if (!isWaystoneError(error, 'move_refused') && !isWaystoneError(error, 'unreachable')) throw error
        // Numbers and names apart, so that the same reason is counted as one.
        count(tally.refusals, error.message.replaceAll(/run-[\d-]+/g, 'RUN').replaceAll(/\d+/g, 'N'))
        last = error
        return undefined
      }
    },
    { timeoutMs: moveMsMax, everyMs: 100, message: () => `${run.id} cannot be moved: ${String(last)}` },
  )
}

/** Resolves when the device asks the edge by a route; what becomes of that one request is given. */
export function asked(
  network: Round['stage']['network'],
  route: string,
  fate: 'pass' | 'lose request' | 'lose answer',
): Promise<void> {
  return new Promise((resolve) => {
    network.decide((_, { method, path }) => {
      if (method !== 'POST' || !path.endsWith(route)) return 'pass'
      network.decide(() => 'pass')
      resolve()
      return fate
    })
  })
}

/** The run that the edge is to take over when its owner is gone, at the device. */
export async function bequeathed(round: Round): Promise<ChaosRun> {
  const [run] = lasting(round)
  if (run === undefined) throw new Error('the round has no runs')
  await move(round, run, 'here')
  return run
}

/**
 * Waits until the edge has taken a run over from a device that it does not hear of. One that was cut off as it waited for a
 * person stays where it is: nobody else could go on with it.
 */
export async function taken({ stage, tally }: Round, run: ChaosRun): Promise<void> {
  const known = stage.watch.heard(run.id).size
  if (waitsForPerson(await stage.watch.pull(run.id))) {
    tally.leftToPerson += 1
    return
  }
  await stage.watch.until(
    run.id,
    ({ kind, owner, seq }) => kind === 'claim' && owner === 'edge' && seq >= known,
  )
  tally.takenOverByEdge += 1
}

/** Entries that leave a question, or a pause, as it is. */
const still = new Set(['open', 'claim', 'refuse', 'snapshot'])

function waitsForPerson(entries: readonly EdgeEntry[]): boolean {
  const last = entries.findLast(({ kind }) => !still.has(kind))
  return last?.kind === 'ask' || last?.kind === 'pause'
}
