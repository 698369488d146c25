import { atMost, report, round } from '../bench/_report.ts'
import type { Soaked, SoakOptions } from './soak.ts'

/** Prints what a soak came to: lines for people, with `--json` one JSON object as the last line. */
export function reportSoak({ runs, turns, seed }: SoakOptions, soaked: Soaked, seconds: number): void {
  const { finished, startedTwice, catalogDiffers, wrong, entriesMost, keptMost, bytesARun, ...rest } = soaked
  const { kills, decided, releases } = rest
  report(
    [
      `${String(runs)} runs of ${String(turns)} turns, ${String(kills)} kills of workerd, ${String(releases)} releases, seed ${String(seed)}, ${String(round(seconds))} s; a person decided ${String(decided)} times`,
      `a run has up to ${String(entriesMost)} entries, of which the edge keeps up to ${String(keptMost)}; ${String(Math.round(bytesARun / 1_000))} KB on disk for each`,
      ...[...startedTwice, ...catalogDiffers, ...wrong].map((one) => `  DEFECT  ${one}`),
    ],
    {
      name: 'soak',
      ...{ runs, turns, seed, kills, decided, releases, finished, entriesMost, keptMost, bytesARun },
      ...{ startedTwice, catalogDiffers, wrong, seconds: round(seconds) },
      aims: [
        atMost('runs that did not finish', runs - finished, 0, 'runs'),
        atMost('effects of class once that were started twice', startedTwice.length, 0, 'effects'),
        atMost('runs of which the catalog says something else', catalogDiffers.length, 0, 'runs'),
        atMost('runs in a wrong state', wrong.length, 0, 'runs'),
        atMost('entries that the edge keeps of a run', keptMost, keptEntriesMax, 'entries'),
      ],
    },
  )
}

/** Two snapshots and what came since the last, for states as large as these; however many turns a run has. */
const keptEntriesMax = 150

/** True when everything was as it should be. */
export function isSound({ startedTwice, catalogDiffers, wrong, finished }: Soaked, runs: number): boolean {
  return finished === runs && [startedTwice, catalogDiffers, wrong].every((one) => one.length === 0)
}
