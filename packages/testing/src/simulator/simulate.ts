import { throwFault } from './chaos.ts'
import { checkArrived, checkNotes } from './invariants.ts'
import { isOver } from './person.ts'
import { Simulation } from './simulation.ts'

/** How one seed went. */
export interface Simulated {
  readonly seed: number
  readonly events: number
  /** A digest of all that happened: the same seed gives the same. */
  readonly trace: number
  /** What must never happen and did; undefined when all was well. */
  readonly failure: string | undefined
  /** Which faults have hit which operations, and how often. */
  readonly coverage: Readonly<Record<string, number>>
  /** What happened, in words: written when it is asked for, which most seeds never are. */
  readonly story: readonly string[]
}

/** After this many events nothing goes wrong any more, and all has to come to its end. */
const wildEvents = 250
const eventsMax = 60_000
/** In calm times people look less and less often: between these, in ms. */
const lookMs = { from: 500, to: 30_000 } as const
/** Nothing may happen for this long after the end before all is compared, in ms. */
const restMs = 20_000

/**
 * One world by its seed: devices with tabs, an edge, people, and a network, a storage and clocks that fail in every way
 * there is, around the real core. First everything goes wrong, then nothing does any more, and every run has to end, with
 * all stores agreeing. What must never happen is looked for with every entry, every effect, and at the end.
 */
export async function simulate(seed: number): Promise<Simulated> {
  const simulation = new Simulation(seed)
  await goWild(simulation)
  simulation.heal()
  await comeToRest(simulation)
  if (simulation.failure === undefined) await checkEnd(simulation)
  const { scheduler, failure, coverage } = simulation
  const { events, trace } = scheduler
  return {
    seed,
    events,
    trace,
    failure,
    coverage: coverage.pairs,
    get story() {
      return simulation.story
    },
  }
}

async function goWild(simulation: Simulation): Promise<void> {
  const { scheduler, dice, devices, person, sessionPeople, isRegretful } = simulation
  for (const device of devices) device.open()
  simulation.begin()
  const rate = dice.between(0.01, 0.08)
  while (scheduler.events < wildEvents && simulation.failure === undefined) {
    const happened = scheduler.step()
    await happened
    // Where nothing is due, something goes wrong.
    if (happened === undefined || dice.chance(rate)) await throwFault(simulation)
    if (sessionPeople && dice.chance(0.1)) sessionPeople.look(false)
    if (isRegretful && dice.chance(0.05)) person.look(false)
  }
}

async function comeToRest(simulation: Simulation): Promise<void> {
  const { scheduler, person, sessionPeople } = simulation
  let pause: number = lookMs.from
  let over: number | undefined
  let isOut = false
  const look = (): void => {
    simulation.begin()
    simulation.follow()
    person.look(true)
    sessionPeople?.look(true)
    const runs = simulation.runs()
    const isSettled = runs.length > 0 && runs.every(isOver) && sessionPeople?.isSettled !== false
    over = isSettled ? (over ?? scheduler.now) : undefined
    isOut = over !== undefined && scheduler.now - over >= restMs
    pause = Math.min(pause * 1.1, lookMs.to)
    scheduler.after(pause, 'people look', undefined, look)
  }
  look()
  while (!isOut && simulation.failure === undefined) {
    await scheduler.step()
    if (scheduler.events < eventsMax) continue
    const open = simulation.runs().filter((log) => !isOver(log))
    const where = open.map(({ run, head }) => `${run} at ${head?.kind ?? 'nothing'}`)
    if (sessionPeople?.isSettled === false) where.push('the session is not the same everywhere')
    simulation.fail(`after ${String(eventsMax)} events not all runs have ended: ${where.join(', ')}`)
  }
}

/** When all is over: nothing that was acknowledged is missing, and all stores have the same. */
async function checkEnd(simulation: Simulation): Promise<void> {
  const { devices, objects } = simulation
  for (const { disk } of [...devices, ...objects.values()])
    for (const run of disk.mirrors.keys()) {
      const lost = await disk.lost(run)
      if (lost.length > 0)
        simulation.fail(
          `${disk.name} has acknowledged entries ${lost.join(', ')} of ${run}, and they are nowhere`,
        )
    }
  for (const { disk } of devices)
    for (const run of disk.mirrors.keys()) {
      const [gone] = await disk.unopened(run)
      if (gone !== undefined)
        simulation.fail(`${disk.name} has set aside ${gone} of ${run}, and cannot open it any more`)
    }
  simulation.sessionPeople?.check()
  for (const log of simulation.runs()) checkNotes(simulation.person.notes, log, simulation)
  for (const [run, { disk }] of objects) {
    checkArrived(disk, simulation)
    const there = disk.mirror(run)
    if (there.head === undefined) continue
    for (const device of devices) {
      const here = device.disk.mirrors.get(run)
      // What is damaged here cannot go there, and nothing that comes before it.
      const isDamaged = device.disk.isDamaged(run, there.first)
      const shared = here?.entries.filter(({ seq }) => seq >= there.first || !isDamaged)
      const different = shared?.find(({ seq, digest }) => there.at(seq)?.digest !== digest)
      if (different)
        simulation.fail(`${device.name} and the edge differ in entry ${String(different.seq)} of ${run}`)
      if (here?.head && here.head.seq !== there.head.seq)
        simulation.fail(
          `${device.name} has ${run} up to entry ${String(here.head.seq)}, the edge up to ${String(there.head.seq)}`,
        )
    }
  }
}
