import type { EngineName } from '../harness/engines.ts'
import { endRound } from './check-end.ts'
import { deviceMoments } from './device-moments.ts'
import { edgeMoments } from './edge-moments.ts'
import { killOnce } from './kill-once.ts'
import type { Moment } from './moment.ts'
import { seatPerson } from './person.ts'
import { randomFrom, type Random } from './random.ts'
import { lasting, manyTurns, send, startRun, type Round } from './round.ts'
import { startStage, type Stage } from './stage.ts'
import { takeOvers } from './take-overs.ts'
import { emptyTally, type Tally, type Victim } from './tally.ts'

/** Where things are killed. */
export type ChaosEngine = EngineName | 'workerd'

/** How much is killed. */
export interface ChaosOptions {
  readonly engine: ChaosEngine
  readonly kills: number
  readonly seed: number
  /** How many takeovers between tabs are measured, of each kind. */
  readonly takeOvers: number
  /** Ends it early, with what was counted so far. */
  readonly stopped?: Promise<void>
  /** Hears how it goes. */
  readonly tell?: (line: string) => void
}

/** So many kills before the runs are stopped and all of them looked at. */
const killsARound = 10
/** How long an owner may be silent before the edge takes a run over, in ms. */
const leaseMs = 3_000
let notebooks = 0

/** A kind of round: what can be killed in it, and whether the device has an edge. */
interface Setting {
  readonly victims: readonly Victim[]
  readonly local: boolean
}

/** Kills, restarts and checks as often as asked, and gives the figures. Leaves no process behind. */
export async function chaos(options: ChaosOptions): Promise<Tally> {
  const tally = emptyTally()
  const stage = await startStage(randomFrom(options.seed + 1))
  try {
    seatPerson(stage, tally)
    const playing = play(stage, tally, options).catch((error: unknown) => {
      // What was counted until then is told all the same; once it was stopped the pages are gone, which is no news.
      tally.wrong.push(`the program did not get to its end: ${String(error)}`)
    })
    await Promise.race(options.stopped ? [playing, options.stopped] : [playing])
    return structuredClone(tally)
  } finally {
    await stage.close()
  }
}

async function play(stage: Stage, tally: Tally, options: ChaosOptions): Promise<void> {
  const { engine, kills, seed, tell = () => undefined } = options
  const random = randomFrom(seed)
  const settings = settingsOf(engine).map((setting) => ({ setting, deal: dealer(random, setting) }))
  for (let round = 0, left = kills; left > 0; round += 1, left -= killsARound) {
    const chosen = settings[round % settings.length]
    if (chosen === undefined) return
    const dealt = Array.from({ length: Math.min(left, killsARound) }, chosen.deal)
    await playRound({ stage, random, tally }, engine, chosen.setting, dealt)
    tell(`${String(kills - Math.max(0, left - killsARound))} of ${String(kills)} kills`)
  }
  if (engine !== 'workerd') await takeOvers(stage, engine, options.takeOvers, tally)
}

function settingsOf(engine: ChaosEngine): readonly Setting[] {
  if (engine === 'workerd') return [{ victims: ['edge'], local: false }]
  const victims: readonly Victim[] = ['renderer', 'worker', 'browser']
  // Two rounds with an edge, for which there are more points, then one without.
  return [false, false, true].map((local) => ({ victims, local }))
}

async function playRound(
  { stage, random, tally }: Pick<Round, 'stage' | 'random' | 'tally'>,
  engine: ChaosEngine,
  { local }: Setting,
  kills: readonly Kill[],
): Promise<void> {
  notebooks += 1
  const notebook = `notes-${String(process.pid)}-${String(notebooks)}`
  const device = await stage.device(engine === 'workerd' ? 'chromium' : engine, { local, notebook })
  const tab = await device.open()
  if (tab.storage !== 'indexeddb') throw new Error(`the browser keeps runs in ${tab.storage}`)
  const since = stage.control.acks.length
  const round: Round = {
    ...{ stage, random, tally, device, local, since, runs: [], tab, notebook },
    ...(local
      ? {}
      : { colleague: await stage.colleague(notebook), neighbour: await stage.neighbour(notebook) }),
  }
  await tab.locate()
  const turns = manyTurns
  await startRun(round, { turns, chars: 20_000 }, local ? {} : { whenGone: 'edge', leaseMs })
  await startRun(round, { turns, chars: 1_000_000 })
  await startRun(round, { turns, chars: 100_000 })
  for (const [moment, victim] of kills) {
    await killOnce(round, moment, victim)
    await send(round, random.pick(lasting(round)))
  }
  await endRound(round)
  await device.close()
}

type Kill = readonly [Moment, Victim]

/** Deals kills: every point with every victim in a random order, then all of them again; each third is at random. */
function dealer(random: Random, { victims, local }: Setting): () => Kill {
  const moments = victims.includes('edge') ? edgeMoments : deviceMoments
  const pairs = moments
    .filter(({ needsEdge }) => !local || !needsEdge)
    .flatMap((moment) =>
      moment.victims.filter((victim) => victims.includes(victim)).map((victim): Kill => [moment, victim]),
    )
  let left: readonly Kill[] = []
  let dealt = 0
  return () => {
    dealt += 1
    const [atRandom] = moments
    if (dealt % 3 === 0 && atRandom) return [atRandom, random.pick(victims)]
    if (left.length === 0) left = random.shuffled(pairs)
    const [next, ...rest] = left
    left = rest
    if (next === undefined) throw new Error('there are no points to kill at')
    return next
  }
}
