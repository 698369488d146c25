import { loadavg } from 'node:os'
import { argv } from 'node:process'
import { atMost, quantile, report, round, type Aim } from '../bench/_report.ts'
import type { ChaosOptions } from './chaos.ts'
import { edgeFigures, isLarge, lineOf, resumeFigures, tabFigures } from './figures.ts'
import type { Tally } from './tally.ts'

/** The aims of the issue "Nothing acknowledged is lost, nothing happens twice", in ms. */
const crashMsMax = 250
const closeMsMax = 50
const resumeMsMax = 250

/** Prints what chaos has counted: lines for people, with `--json` one JSON object as the last line. */
export function reportChaos(options: ChaosOptions, tally: Tally, seconds: number): void {
  const { engine, kills, seed } = options
  const { lost, startedTwice, ranAgain, divergences, wrong, acknowledged, found, ...rest } = tally
  const resumes = resumeFigures(tally)
  const tabs = tabFigures(tally)
  const edge = edgeFigures(tally)
  const durability = durabilityOf(tally)
  report(
    [
      `${engine}: ${String(kills)} kills, seed ${String(seed)}, ${String(round(seconds))} s, load of the machine ${String(round(loadavg()[1] ?? 0))}`,
      ...Object.entries(tally.kills).map(([name, times]) => `  ${String(times).padStart(4)}  ${name}`),
      ...stores(tally),
      `once effects: ${String(tally.onceStarted)} started, ${String(startedTwice.length)} started twice without a decision; ${String(tally.onceDecided)} decided by a person, ${String(tally.onceVerified)} looked up`,
      `steps: ${String(tally.steps)} recorded, ${String(ranAgain.length)} run again after their record (${String(tally.byStaleOwner)} by a cut-off owner that could not know)`,
      `runs: ${String(tally.ended)} ended, ${String(wrong.length)} in a wrong state; ${String(tally.takenOverByEdge)} times the edge took over, ${String(tally.leftToPerson)} times it left a run to the person it waits for; other pauses: ${JSON.stringify(tally.pauses)}`,
      ...Object.entries(tally.refusals).map(
        ([why, times]) => `  ${String(times)} times a move was refused and tried again: ${why}`,
      ),
      `kills that left the database blocked until the tab was killed, too: ${String(tally.blocked)}`,
      `divergences between device and edge: ${String(divergences.length)}`,
      ...resumes.map((one) => `resume, ${lineOf(one)}`),
      ...tabs.map((one) => `takeover by a second tab, ${lineOf(one)}`),
      ...edge.map((one) => `the edge goes on, ${lineOf(one)}`),
      ...[...lost, ...startedTwice, ...ranAgain, ...divergences, ...wrong].map((one) => `  DEFECT  ${one}`),
      ...durability,
    ],
    {
      name: 'chaos',
      engine,
      asked: kills,
      seed,
      seconds: round(seconds),
      loadOfMachine: round(loadavg()[1] ?? 0),
      ...rest,
      acknowledged,
      found,
      lost,
      startedTwice,
      ranAgain,
      divergences,
      wrong,
      resumes: [...resumes, ...tabs, ...edge],
      edgeResumes: tally.edgeResumes,
      takeOvers: tally.takeOvers,
      durability,
      aims: aimsOf(tally),
    },
  )
}

/** What the classes of durability promise, and what a killed process cannot show. */
function durabilityOf({ kinds }: Tally): readonly string[] {
  const list = (some: Record<string, number>): string =>
    Object.entries(some)
      .toSorted(([, a], [, b]) => b - a)
      .map(([kind, times]) => `${kind} ${String(times)}`)
      .join(', ')
  return [
    `strict records, by their last entry: ${list(kinds.strict)}`,
    `relaxed records, by their last entry: ${list(kinds.relaxed)}`,
    'A killed process leaves the operating system running: relaxed records survive that as strict ones do. A power loss or a crash of the system is not made here. Strict records ask the disk to flush; relaxed ones after the last of those may be lost then, in which case what the edge has of them comes back, and steps run again; a disk that confirms what it has not written is beyond both.',
  ]
}

function stores({ acknowledged, found, setAside, notesSetAside, lost }: Tally): readonly string[] {
  const all = (['relaxed', 'strict', 'edge', 'sends', 'starts', 'notes'] as const).map(
    (kind) => `${kind} ${String(found[kind])}/${String(acknowledged[kind])}`,
  )
  return [
    `found/acknowledged: ${all.join(', ')}; lost: ${String(lost.length)} (found among what was set aside: ${String(setAside)} entries, ${String(notesSetAside)} notes of sessions)`,
  ]
}

function aimsOf(tally: Tally): readonly Aim[] {
  const crashed = tally.takeOvers.filter(({ how }) => how === 'crashed').map(({ ms }) => ms)
  const closed = tally.takeOvers.filter(({ how }) => how === 'closed').map(({ ms }) => ms)
  const large = (local: boolean): readonly number[] =>
    tally.resumes
      .filter((one) => isLarge(one) && one.local === local)
      .flatMap(({ sinceLoad }) => sinceLoad ?? [])
  return [
    atMost('acknowledged and lost', tally.lost.length, 0, 'entries'),
    atMost('once effects started twice without a decision', tally.startedTwice.length, 0, 'effects'),
    atMost('steps run again after their record', tally.ranAgain.length, 0, 'steps'),
    atMost('divergences between stores', tally.divergences.length, 0, 'runs'),
    atMost('runs that ended in a wrong state', tally.wrong.length, 0, 'runs'),
    ...shares('tab takeover after a crash', crashed, crashMsMax),
    ...shares('tab takeover after a close, from its pagehide', closed, closeMsMax),
    ...shares('resume of 1 MB without an edge, from the start of loading the page', large(true), resumeMsMax),
    ...shares('resume of 1 MB with an edge, from the start of loading the page', large(false), resumeMsMax),
  ]
}

/** An aim for the middle and for all but the slowest of some times; none where nothing was measured. */
function shares(name: string, numbers: readonly number[], ms: number): readonly Aim[] {
  if (numbers.length === 0) return []
  return [
    atMost(`${name}, p50`, quantile(numbers, 0.5), ms, 'ms'),
    atMost(`${name}, p99`, quantile(numbers, 0.99), ms, 'ms'),
  ]
}

/** The number after an option such as `--kills`. Throws when it is none. */
export function numberOf(option: string, otherwise: number): number {
  const at = argv.indexOf(option)
  if (at < 0) return otherwise
  const number = Number(argv[at + 1])
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Error(`${option} takes a whole number, found ${String(argv[at + 1])}`)
  return number
}
