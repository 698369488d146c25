import { encodeValue, type AnyAgent, type RunId } from '@waystone/core'
import { calmNetwork, throwFault, wildNetwork } from './chaos.ts'
import { Coverage } from './coverage.ts'
import { Dice } from './dice.ts'
import { Effects } from './effects.ts'
import { watchEdge, watchLog } from './invariants.ts'
import { isOver, Person } from './person.ts'
import type { Realm } from './scheduler.ts'
import { Scheduler } from './scheduler.ts'
import { SimDevice, type SimTab } from './sim-device.ts'
import type { SimDisk } from './sim-disk.ts'
import { SimObject } from './sim-edge.ts'
import { changeProgram, inWorld, simAgent, throwProgram } from './sim-program.ts'
import type { SimWorld } from './sim-world.ts'

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
  /** The last of what happened, in words. */
  readonly story: readonly string[]
}

/** After this many events nothing goes wrong any more, and all has to come to its end. */
const wildEvents = 250
const eventsMin = 200
const eventsMax = 60_000
/** In calm times people look less and less often, at least this often, in ms. */
const lookMsMax = 30_000

const first = 'first' as RunId

/**
 * One world by its seed: devices with tabs, an edge, people, and a network, a storage and clocks that fail in every way
 * there is, around the real core. First everything goes wrong, then nothing does any more, and every run has to end, with
 * all stores agreeing.
 */
export async function simulate(seed: number): Promise<Simulated> {
  const dice = new Dice(seed)
  const scheduler = new Scheduler()
  const coverage = new Coverage()
  const story: string[] = []
  let failure: string | undefined
  const world: SimWorld = {
    dice,
    scheduler,
    coverage,
    fail: (what) => {
      failure ??= what
    },
    tell: (what) => void story.push(`${scheduler.now.toFixed(0).padStart(8)} ms  ${what}`),
  }
  const effects = new Effects(world)
  const program = throwProgram(dice)
  const changed = changeProgram(program, dice)
  const hasEdge = dice.chance(0.9)
  const isOtherCode = { edge: false, devices: false }
  const edgeSkew = { ms: 0 }
  let network = dice.chance(0.8) ? wildNetwork : calmNetwork
  const objects = new Map<RunId, SimObject>()
  const devices: SimDevice[] = []

  const agents =
    (where: 'edge' | 'devices', disk: () => SimDisk) =>
    (realm: Realm): readonly AnyAgent[] => {
      const agent = simAgent(isOtherCode[where] ? changed : program, 1)
      return [
        inWorld(
          agent,
          effects,
          { realm, disk: disk(), decides: (run) => (hasEdge ? object(run as RunId).disk : disk()) },
          world.fail,
        ),
      ]
    }
  const object = (run: RunId): SimObject => {
    const known = objects.get(run)
    if (known) return known
    const made: SimObject = new SimObject(
      run,
      world,
      agents('edge', () => made.disk),
      () => edgeSkew.ms,
    )
    watchEdge(made.disk, world)
    objects.set(run, made)
    return made
  }
  const newDevice = (name: string): SimDevice => {
    const device: SimDevice = new SimDevice({
      name,
      world,
      agents: agents('devices', () => device.disk),
      faults: () => network,
      ...(hasEdge ? { object } : {}),
    })
    watchLog(device.disk, world)
    devices.push(device)
    return device
  }
  const laptop = newDevice('laptop')
  if (hasEdge) newDevice('phone')
  const runs = () => {
    const known = new Set([...objects.keys(), ...devices.flatMap(({ disk }) => [...disk.mirrors.keys()])])
    const logs = [...known].map((run) => {
      const there = objects.get(run)?.disk.mirror(run)
      return there?.head
        ? there
        : (devices.find(({ disk }) => disk.mirrors.get(run)?.head)?.disk ?? laptop.disk).mirror(run)
    })
    return logs.filter(({ head }) => head !== undefined)
  }
  const person = new Person({ world, effects, devices: () => devices, runs, hasEdge })
  const redeploy = (where: 'edge' | 'devices'): void => {
    isOtherCode[where] = !isOtherCode[where]
    if (where === 'edge') for (const one of objects.values()) one.kill()
    else for (const device of devices) for (const tab of device.tabs) device.kill(tab)
    if (where === 'devices')
      for (const device of devices) scheduler.after(100, 'reopen', undefined, () => device.open())
  }

  const follow = ({ runtime }: SimTab): void => {
    for (const { run } of runs())
      void runtime.then((opened) => opened.watch(run, () => undefined)).catch(() => undefined)
  }

  for (const device of devices) device.open()
  const options = {
    id: first,
    whenGone: dice.chance(0.5) ? ('edge' as const) : ('offer' as const),
    leaseMs: 10_000,
  }
  const begin = (): void => {
    const tab = [...laptop.tabs][0]
    void tab?.runtime
      .then((runtime) => runtime.start('sim', encodeValue(null), options))
      .catch((error: unknown) => world.tell(String(error)))
  }
  begin()
  const rate = dice.between(0.01, 0.08)
  while (scheduler.events < wildEvents && failure === undefined) {
    if (!(await scheduler.step())) break
    if (dice.chance(rate))
      await throwFault({ world, devices, objects, person, effects, edgeSkew, redeploy, hasEdge })
  }
  world.tell('from here on nothing goes wrong')
  network = calmNetwork
  edgeSkew.ms = 0
  isOtherCode.edge = false
  isOtherCode.devices = false
  for (const one of objects.values()) {
    one.disk.fails = undefined
    one.kill()
  }
  for (const device of devices) {
    device.isOnline = true
    device.skew = 0
    device.disk.fails = undefined
    for (const tab of device.tabs) device.kill(tab)
    follow(device.open())
  }
  let lookMs = 500
  const look = (): void => {
    lookMs = Math.min(lookMs * 1.1, lookMsMax)
    if (laptop.disk.mirror(first).head === undefined && !objects.get(first)?.disk.mirror(first).head) begin()
    person.look(true)
    scheduler.after(lookMs, 'people look', undefined, look)
  }
  look()
  let calm = 0
  while (failure === undefined && (calm < 20_000 || scheduler.events < eventsMin)) {
    const before = scheduler.now
    await scheduler.step()
    const isSettled = runs().every((run) => isOver(run)) && runs().length > 0
    calm = isSettled ? calm + scheduler.now - before : 0
    if (scheduler.events > eventsMax)
      world.fail(
        `after ${String(eventsMax)} events not all runs have ended: ${runs()
          .map((run) => `${run.run} ${run.head?.kind ?? 'nothing'}`)
          .join(', ')}`,
      )
  }
  if (failure === undefined) await checkEnd(devices, objects, world)
  return { seed, events: scheduler.events, trace: scheduler.trace, failure, coverage: coverage.pairs, story }
}

/** When all is over: nothing that was acknowledged is missing, and all stores have the same. */
async function checkEnd(
  devices: readonly SimDevice[],
  objects: ReadonlyMap<RunId, SimObject>,
  world: SimWorld,
): Promise<void> {
  for (const { disk } of [...devices, ...objects.values()])
    for (const run of disk.mirrors.keys()) {
      const lost = await disk.lost(run)
      if (lost.length > 0)
        world.fail(`${disk.name} has acknowledged entries ${lost.join(', ')} of ${run}, and they are nowhere`)
    }
  for (const [run, { disk }] of objects) {
    const there = disk.mirror(run)
    for (const device of devices) {
      const here = device.disk.mirrors.get(run)
      const different = here?.entries.find(({ seq, digest }) => there.at(seq)?.digest !== digest)
      if (different && there.head)
        world.fail(`${device.name} and the edge differ in entry ${String(different.seq)} of ${run}`)
      if (here?.head && there.head && here.head.seq !== there.head.seq)
        world.fail(
          `${device.name} has ${run} up to entry ${String(here.head.seq)}, the edge up to ${String(there.head.seq)}`,
        )
    }
  }
}
