import type { SimDevice, SimTab } from './sim-device.ts'
import type { Simulation } from './simulation.ts'

const anHour = 3_600_000

/** The process of a tab is gone; should it have been the last one, its user opens another. */
export function killTab({ coverage, scheduler, dice }: Simulation, device: SimDevice, tab: SimTab): void {
  for (const operation of tab.realm.pending) coverage.hit('kill', operation)
  if (tab.realm.pending.size === 0) coverage.hit('kill', 'idle')
  device.kill(tab)
  scheduler.after(dice.between(10, 20_000), 'reopen', undefined, () => {
    if (device.tabs.size === 0 && !device.isGone) device.open()
  })
}

export function killAll(simulation: Simulation, device: SimDevice): void {
  for (const tab of device.tabs) killTab(simulation, device, tab)
}

/** A page that is closed has a moment left, not all the time that it would like. */
export function close(simulation: Simulation, device: SimDevice, tab: SimTab): void {
  const { coverage, scheduler, dice } = simulation
  for (const operation of tab.realm.pending) coverage.hit('close', operation)
  tab.runtime.then((runtime) => runtime.close()).catch(() => undefined)
  tab.session?.opening.then((session) => session.close()).catch(() => undefined)
  scheduler.after(dice.between(0, 20), 'closed', undefined, () => killTab(simulation, device, tab))
}

/** Nothing runs in it for a while, and it was not told. */
export function freeze({ coverage, scheduler, dice }: Simulation, _: SimDevice, { realm }: SimTab): void {
  if (realm.frozen) return
  for (const operation of realm.pending) coverage.hit('freeze', operation)
  realm.frozen = true
  scheduler.after(dice.between(100, 120_000), 'thaw', undefined, () => scheduler.thaw(realm))
}

/** As `freeze`, but a page that goes into the cache is told before, and when it is shown again. */
export function hide(simulation: Simulation, device: SimDevice, tab: SimTab): void {
  const { scheduler, dice } = simulation
  tab.runtime.then((runtime) => runtime.freeze()).catch(() => undefined)
  scheduler.after(dice.between(5, 100), 'into the cache', tab.realm, () => {
    freeze(simulation, device, tab)
    scheduler.after(0, 'shown', tab.realm, () => {
      tab.runtime.then((runtime) => runtime.thaw()).catch(() => undefined)
      tab.session?.opening.then((session) => session.refresh()).catch(() => undefined)
    })
  })
}

export function partition({ scheduler, dice, coverage }: Simulation, device: SimDevice): void {
  if (!device.isOnline) return
  device.isOnline = false
  coverage.hit('partition', 'begins')
  const ms = dice.between(100, dice.chance(0.2) ? 200_000 : 20_000)
  scheduler.after(ms, 'network back', undefined, () => (device.isOnline = true))
}

export function jump({ dice, coverage }: Simulation, device: SimDevice): void {
  device.skew += dice.between(-anHour, anHour)
  coverage.hit('clock jump', device.tabs.size === 0 ? 'closed' : 'open')
}

/** The disk goes back to how it was: what was strict survives a power loss, nothing need be in an old backup. */
export const restore = {
  afterPowerLoss: (simulation: Simulation, device: SimDevice) =>
    goBack(simulation, device, 'power loss', device.disk.strictUpTo),
  fromBackup: (simulation: Simulation, device: SimDevice) => goBack(simulation, device, 'old profile', 0),
}

async function goBack(simulation: Simulation, device: SimDevice, how: string, least: number): Promise<void> {
  const { dice, coverage } = simulation
  killAll(simulation, device)
  const { disk } = device
  const kept = least + dice.below(disk.changes - least + 1)
  coverage.hit(how, kept === disk.changes ? 'nothing' : 'some')
  await disk.restore(disk.upTo(kept))
}

/** A stored entry is not what was written. The first one is left alone: without it there is no run. */
export function flip({ dice, coverage, effects }: Simulation, { disk }: SimDevice): void {
  const mirror = dice.pick([...disk.mirrors.values()])
  const entry = mirror && dice.pick(mirror.entries.slice(1))
  if (!mirror || !entry) return
  coverage.hit('bit flip', entry.kind)
  // The record of a start that nobody can read any more asks for nothing.
  if (entry.kind === 'once.start') effects.allow(String(entry.body['key']))
  disk.flip(mirror.run, entry.seq)
}
