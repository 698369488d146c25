import type { ToldEntry } from './app/page.ts'
import { promisedOf } from './check-stores.ts'
import type { ChaosRun, Round } from './round.ts'
import { neighbourLife } from './neighbour.ts'
import type { Arrival } from './stage.ts'

/** No step ran again after its record was acknowledged, by anybody who could know of it. */
export function checkSteps(round: Round, run: ChaosRun, log: readonly ToldEntry[]): void {
  const { tally, stage } = round
  const acknowledged = acknowledgedAt(round, run, log)
  const ownerOf = ownersOf(round)
  const arrivals = stage.arrivals.filter((one) => one.run === run.id && one.what !== 'pay')
  const byPath = Map.groupBy(arrivals, ({ turn, what }) => `${String(turn)} ${what}`)
  for (const [index, entry] of log.entries()) {
    if (entry.kind !== 'step') continue
    tally.steps += 1
    const at = acknowledged[index] ?? Infinity
    for (const arrival of byPath.get(placeOf(entry.path)) ?? []) {
      if (arrival.at <= at) continue
      // An owner that was cut off does not know what its successor has recorded, until it has appended after it.
      const who = ownerOf(arrival)
      const knew =
        who === entry.owner ||
        log.some(
          (one, later) =>
            later > index && one.owner === who && (acknowledged[later] ?? Infinity) <= arrival.at,
        )
      if (knew) tally.ranAgain.push(`${entry.path ?? ''} of ${run.id}, ${String(arrival.at - at)} ms later`)
      else tally.byStaleOwner += 1
    }
  }
}

/** When each entry of the log was known here to be acknowledged, in ms since 1970: by the device or by the edge. */
function acknowledgedAt(round: Round, run: ChaosRun, log: readonly ToldEntry[]): readonly number[] {
  const device = promisedOf(round, run)
  const edge = round.stage.watch.heard(run.id)
  let earliest = Infinity
  // A head that is acknowledged acknowledges all entries before it.
  return log
    .toReversed()
    .map(({ seq, digest }) => {
      const there = edge.get(seq)
      const atEdge = there?.digest === digest ? there.heard : Infinity
      earliest = Math.min(earliest, device.get(digest)?.heard ?? Infinity, atEdge)
      return earliest
    })
    .toReversed()
}

function ownersOf({ tab, stage, neighbour }: Round): (arrival: Arrival) => string {
  return ({ by }) => {
    if (by === neighbourLife) return neighbour?.device ?? ''
    return by === '' ? 'edge' : (stage.control.deviceOf(by) ?? tab.device)
  }
}

/** The turn and the last name of a path. */
function placeOf(path = ''): string {
  const parts = path.split('/')
  return `${parts[0] ?? ''} ${parts.at(-1) ?? ''}`
}
