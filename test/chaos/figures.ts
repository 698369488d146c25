import { quantile, round } from '../bench/_report.ts'
import type { Resume, Tally } from './tally.ts'

const megabyte = 1_000_000

/** How some times are distributed, in ms. */
export interface Figure {
  readonly what: string
  readonly count: number
  readonly p50: number
  readonly p99: number
}

function figureOf(what: string, numbers: readonly (number | undefined)[]): readonly Figure[] {
  const known = numbers.filter((one) => one !== undefined)
  if (known.length === 0) return []
  return [{ what, count: known.length, p50: quantile(known, 0.5), p99: quantile(known, 0.99) }]
}

/** A figure as people read it. */
export function lineOf({ what, count, p50, p99 }: Figure): string {
  return `${what}: p50 ${String(round(p50))} ms, p99 ${String(round(p99))} ms (${String(count)})`
}

/** Runs whose state is of the size that the aims are about. */
export const isLarge = ({ chars }: Resume): boolean => chars >= megabyte

/** How long runs took to go on in a browser. */
export function resumeFigures({ resumes }: Tally): readonly Figure[] {
  const of = (victim: Resume['victim']): readonly Resume[] => resumes.filter((one) => one.victim === victim)
  const large = [true, false].flatMap((local) => {
    const some = resumes.filter((one) => isLarge(one) && one.local === local)
    const where = local ? 'without an edge' : 'with an edge'
    return [
      ...figureOf(
        `1 MB ${where}, from the first line of the worker to its append`,
        some.map((one) => one.sinceWorker),
      ),
      ...figureOf(
        `1 MB ${where}, from the start of loading the page to its append`,
        some.map((one) => one.sinceLoad),
      ),
    ]
  })
  return [
    ...large,
    ...figureOf(
      'all runs, from the start of loading the page',
      resumes.map((one) => one.sinceLoad),
    ),
    ...figureOf(
      'all runs, from the end of a worker, starting another included',
      of('worker').map((one) => one.sinceKill),
    ),
    ...figureOf(
      'all runs, from the kill of a renderer, opening another tab included',
      of('renderer').map((one) => one.sinceKill),
    ),
    ...figureOf(
      'all runs, from the kill of a browser, starting it again included',
      of('browser').map((one) => one.sinceKill),
    ),
  ]
}

/** How long a second tab took to go on with the runs of a first one. */
export function tabFigures({ takeOvers }: Tally): readonly Figure[] {
  const of = (how: string): readonly Tally['takeOvers'][number][] =>
    takeOvers.filter((one) => one.how === how)
  return [
    ...figureOf(
      'after a crash, from its SIGKILL',
      of('crashed').map(({ ms }) => ms),
    ),
    ...figureOf(
      'after a close, from its pagehide',
      of('closed').map(({ ms }) => ms),
    ),
    ...figureOf(
      'after a close, from when the browser was asked',
      of('closed').map(({ sinceAsked }) => sinceAsked),
    ),
  ]
}

/** How long the edge took to go on with its runs. */
export function edgeFigures({ edgeResumes }: Tally): readonly Figure[] {
  return [
    ...figureOf(
      'a message having come, from when it answered',
      edgeResumes.filter(({ asked }) => asked).map(({ ms }) => ms),
    ),
    ...figureOf(
      'nobody asking, from when it answered',
      edgeResumes.filter(({ asked }) => !asked).map(({ ms }) => ms),
    ),
    ...figureOf(
      'from its kill, starting wrangler included',
      edgeResumes.map(({ sinceKill }) => sinceKill),
    ),
  ]
}
