import type { Effects } from './effects.ts'
import type { Person } from './person.ts'
import type { NetworkFaults } from './sim-network.ts'
import type { SimDevice, SimTab } from './sim-device.ts'
import type { SimObject } from './sim-edge.ts'
import type { SimWorld } from './sim-world.ts'

/** What chaos can reach. */
export interface ChaosPorts {
  readonly world: SimWorld
  readonly devices: SimDevice[]
  readonly objects: ReadonlyMap<string, SimObject>
  readonly person: Person
  readonly effects: Effects
  readonly edgeSkew: { ms: number }
  /** Other code is deployed: `undo` brings the old one back. */
  readonly redeploy: (where: 'edge' | 'devices') => void
  /** True when what a device forgets is elsewhere, too. */
  readonly hasEdge: boolean
}

type Fault = readonly [name: string, weight: number, work: (ports: ChaosPorts) => unknown]

const anHour = 3_600_000

/** A network in which nothing goes wrong. */
export const calmNetwork: NetworkFaults = { dropped: 0, answerDropped: 0, duplicated: 0, late: 0 }
/** One in which much does. */
export const wildNetwork: NetworkFaults = { dropped: 0.05, answerDropped: 0.07, duplicated: 0.05, late: 0.1 }

/** Throws one of the faults, and lets it happen. */
export async function throwFault(ports: ChaosPorts): Promise<void> {
  const { dice, tell } = ports.world
  let left = dice.next() * faults.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [name, weight, work] of faults) {
    left -= weight
    if (left >= 0) continue
    tell(`fault: ${name}`)
    return void (await work(ports))
  }
}

const faults: readonly Fault[] = [
  [
    'a tab is killed',
    6,
    ({ world, devices }) => onTab(devices, world, (device, tab) => killTab(world, device, tab)),
  ],
  [
    'a tab is opened',
    3,
    ({ world, devices }) =>
      onDevice(devices, world, (device) => void (device.tabs.size < 3 && device.open())),
  ],
  [
    'a browser is killed',
    2,
    ({ world, devices }) => onDevice(devices, world, (device) => killAll(world, device)),
  ],
  ['a tab freezes', 2, ({ world, devices }) => onTab(devices, world, (_, tab) => freeze(world, tab))],
  [
    'a tab goes into the back/forward cache',
    2,
    ({ world, devices }) => onTab(devices, world, (_, tab) => hide(world, tab)),
  ],
  [
    'a tab is closed',
    1,
    ({ world, devices }) => onTab(devices, world, (device, tab) => close(world, device, tab)),
  ],
  [
    'a network is lost',
    4,
    ({ world, devices }) => onDevice(devices, world, (device) => partition(world, device)),
  ],
  ['a clock jumps', 2, ({ world, devices }) => onDevice(devices, world, (device) => jump(world, device))],
  [
    'the clock of the edge jumps',
    1,
    ({ world, edgeSkew }) =>
      void (edgeSkew.ms += (world.dice.chance(0.5) ? 1 : -1) * world.dice.between(0, anHour)),
  ],
  ['an object is killed', 6, ({ world, objects }) => world.dice.pick([...objects.values()])?.kill()],
  ['an alarm is used up', 1, ({ world, objects }) => world.dice.pick([...objects.values()])?.loseAlarm()],
  ['a disk fails', 2, ({ world, devices, objects }) => failDisk(world, devices, objects)],
  [
    'a power loss',
    1,
    ({ world, devices }) => onDevice(devices, world, (device) => restore(world, device, 'power loss')),
  ],
  [
    'an old profile is restored',
    1,
    ({ world, devices, hasEdge }) =>
      hasEdge && onDevice(devices, world, (device) => restore(world, device, 'old profile')),
  ],
  [
    'a bit turns over',
    1,
    ({ world, devices, effects }) => onDevice(devices, world, (device) => flip(world, device, effects)),
  ],
  [
    'other code is deployed',
    1,
    ({ world, redeploy }) => redeploy(world.dice.chance(0.5) ? 'edge' : 'devices'),
  ],
  ['people look', 10, ({ person }) => person.look(false)],
]

function onDevice<T>(
  devices: readonly SimDevice[],
  { dice }: SimWorld,
  work: (device: SimDevice) => T,
): T | undefined {
  const device = dice.pick(devices)
  return device && work(device)
}

function onTab(
  devices: readonly SimDevice[],
  world: SimWorld,
  work: (device: SimDevice, tab: SimTab) => void,
): void {
  onDevice(devices, world, (device) => {
    const tab = world.dice.pick([...device.tabs])
    if (tab) work(device, tab)
  })
}

function killTab({ coverage, scheduler, dice }: SimWorld, device: SimDevice, tab: SimTab): void {
  for (const operation of tab.realm.pending) coverage.hit('kill', operation)
  if (tab.realm.pending.size === 0) coverage.hit('kill', 'idle')
  device.kill(tab)
  scheduler.after(
    dice.between(10, 20_000),
    'reopen',
    undefined,
    () => void (device.tabs.size === 0 && device.open()),
  )
}

function killAll(world: SimWorld, device: SimDevice): void {
  for (const tab of device.tabs) killTab(world, device, tab)
}

function freeze({ coverage, scheduler, dice }: SimWorld, { realm }: SimTab): void {
  if (realm.frozen) return
  for (const operation of realm.pending) coverage.hit('freeze', operation)
  realm.frozen = true
  scheduler.after(dice.between(100, 120_000), 'thaw', undefined, () => scheduler.thaw(realm))
}

/** As a page is told before: it lets go, and takes up again when it is shown. */
function hide(world: SimWorld, tab: SimTab): void {
  void tab.runtime.then((runtime) => runtime.freeze()).catch(() => undefined)
  const { scheduler, dice } = world
  scheduler.after(dice.between(5, 100), 'into the cache', tab.realm, () => {
    freeze(world, tab)
    scheduler.after(
      0,
      'shown',
      tab.realm,
      () => void tab.runtime.then((runtime) => runtime.thaw()).catch(() => undefined),
    )
  })
}

function close(world: SimWorld, device: SimDevice, tab: SimTab): void {
  const { coverage, scheduler, dice } = world
  for (const operation of tab.realm.pending) coverage.hit('close', operation)
  void tab.runtime.then((runtime) => runtime.close()).catch(() => undefined)
  // A page that is closed has a moment left, not all the time that it would like.
  scheduler.after(dice.between(0, 20), 'closed', undefined, () => killTab(world, device, tab))
}

function partition({ scheduler, dice, coverage }: SimWorld, device: SimDevice): void {
  if (!device.isOnline) return
  device.isOnline = false
  coverage.hit('partition', 'begins')
  scheduler.after(
    dice.between(100, dice.chance(0.2) ? 200_000 : 20_000),
    'network back',
    undefined,
    () => (device.isOnline = true),
  )
}

function jump({ dice, coverage }: SimWorld, device: SimDevice): void {
  device.skew += (dice.chance(0.5) ? 1 : -1) * dice.between(0, anHour)
  coverage.hit('clock jump', device.tabs.size === 0 ? 'closed' : 'open')
}

function failDisk(
  { dice }: SimWorld,
  devices: readonly SimDevice[],
  objects: ReadonlyMap<string, SimObject>,
): void {
  const disks = [...devices.map(({ disk }) => disk), ...[...objects.values()].map(({ disk }) => disk)]
  const disk = dice.pick(disks)
  if (disk)
    disk.fails = { code: dice.chance(0.5) ? 'storage_failed' : 'storage_full', left: 1 + dice.below(4) }
}

/** The disk goes back to how it was: what was strict survives a power loss, nothing survives an old backup. */
async function restore(world: SimWorld, device: SimDevice, how: 'power loss' | 'old profile'): Promise<void> {
  const { dice, coverage } = world
  killAll(world, device)
  const { changes, strictUpTo } = device.disk
  const least = how === 'power loss' ? strictUpTo : 0
  const kept = least + dice.below(changes - least + 1)
  coverage.hit(how, kept === changes ? 'nothing' : 'some')
  await device.disk.restore(device.disk.upTo(kept))
}

/** The first entry is left alone where nobody else has it: without it there is no run. */
function flip({ dice, coverage }: SimWorld, { disk }: SimDevice, effects: Effects): void {
  const mirror = dice.pick([...disk.mirrors.values()])
  const entry = mirror && dice.pick(mirror.entries.slice(1))
  if (!mirror || !entry) return
  coverage.hit('bit flip', entry.kind)
  // The record of a start that nobody can read any more asks for nothing.
  if (entry.kind === 'once.start') effects.allow(String(entry.body['key']))
  disk.flip(mirror.run, entry.seq)
}
