import { close, flip, freeze, hide, jump, killAll, killTab, partition, restore } from './device-faults.ts'
import type { SimDevice, SimTab } from './sim-device.ts'
import type { SimDisk } from './sim-disk.ts'
import type { Simulation } from './simulation.ts'

type Fault = readonly [name: string, weight: number, work: (simulation: Simulation) => unknown]

const anHour = 3_600_000

/** What can go wrong, and how often beside the others. */
const faults: readonly Fault[] = [
  ['a tab is killed', 6, (simulation) => onTab(simulation, killTab)],
  [
    'a tab is opened',
    3,
    (simulation) => onDevice(simulation, (_, device) => device.tabs.size < 3 && device.open()),
  ],
  ['a tab is closed', 1, (simulation) => onTab(simulation, close)],
  ['a tab freezes', 2, (simulation) => onTab(simulation, freeze)],
  ['a tab goes into the back/forward cache', 2, (simulation) => onTab(simulation, hide)],
  ['a browser is killed', 2, (simulation) => onDevice(simulation, killAll)],
  ['a network is lost', 4, (simulation) => onDevice(simulation, partition)],
  ['a clock jumps', 2, (simulation) => onDevice(simulation, jump)],
  [
    'the clock of the edge jumps',
    1,
    (simulation) => void (simulation.edgeSkew += simulation.dice.between(-anHour, anHour)),
  ],
  ['an object is killed', 6, ({ dice, objects }) => dice.pick([...objects.values()])?.kill()],
  ['an alarm is used up', 1, ({ dice, objects }) => dice.pick([...objects.values()])?.loseAlarm()],
  ['a disk fails', 2, failDisk],
  ['a disk forgets to answer', 1, (simulation) => void (anyDisk(simulation).asksTwice = 0.2)],
  ['a power loss', 1, (simulation) => onDevice(simulation, restore.afterPowerLoss)],
  // Without an edge nobody knows what an old profile has forgotten.
  [
    'an old profile is restored',
    1,
    (simulation) => simulation.hasEdge && onDevice(simulation, restore.fromBackup),
  ],
  [
    'a profile is copied',
    1,
    (simulation) => simulation.hasEdge && onDevice(simulation, (_, device) => simulation.copy(device)),
  ],
  ['a bit turns over', 1, (simulation) => onDevice(simulation, flip)],
  [
    'other code is deployed',
    1,
    (simulation) => simulation.redeploy(simulation.dice.chance(0.5) ? 'edge' : 'devices'),
  ],
  ['people look', 10, ({ person }) => person.look(false)],
]

const weights = faults.reduce((sum, [, weight]) => sum + weight, 0)

/** Throws one of the faults, and lets it happen. */
export async function throwFault(simulation: Simulation): Promise<void> {
  let left = simulation.dice.next() * weights
  for (const [name, weight, work] of faults) {
    left -= weight
    if (left >= 0) continue
    simulation.tell(`fault: ${name}`)
    return void (await work(simulation))
  }
}

function onDevice<T>(
  simulation: Simulation,
  work: (simulation: Simulation, device: SimDevice) => T,
): T | undefined {
  const device = simulation.dice.pick(simulation.devices)
  return device && work(simulation, device)
}

function onTab(
  simulation: Simulation,
  work: (simulation: Simulation, device: SimDevice, tab: SimTab) => void,
): void {
  onDevice(simulation, (_, device) => {
    const tab = simulation.dice.pick([...device.tabs])
    if (tab) work(simulation, device, tab)
  })
}

function failDisk(simulation: Simulation): void {
  const { dice } = simulation
  const code = dice.chance(0.5) ? 'storage_failed' : 'storage_full'
  anyDisk(simulation).fails = { code, left: 1 + dice.below(4) }
}

function anyDisk({ dice, devices, objects }: Simulation): SimDisk {
  return dice.pick([...devices, ...objects.values()].map(({ disk }) => disk)) as SimDisk
}
