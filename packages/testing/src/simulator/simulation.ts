import { encodeValue, type AnyAgent, type Encryption, type RunId, type SyncPolicy } from '@waystone/core'
import { calmNetwork, wildNetwork } from './network-faults.ts'
import { Coverage } from './coverage.ts'
import { Dice } from './dice.ts'
import { Effects } from './effects.ts'
import { watchEdge, watchLog } from './invariants.ts'
import type { LogMirror } from './log-mirror.ts'
import { Person } from './person.ts'
import { Scheduler, type Realm } from './scheduler.ts'
import { SimDevice, type SimTab } from './sim-device.ts'
import type { SimDisk } from './sim-disk.ts'
import { SimObject } from './sim-edge.ts'
import { simEncryption } from './sim-lent-keys.ts'
import {
  changeProgram,
  helperAgent,
  inWorld,
  simAgent,
  throwProgram,
  withChildren,
  withEffects,
} from './sim-program.ts'
import { SessionPeople, sharedNotes } from './sim-session.ts'
import type { SimWorld } from './sim-world.ts'

/** Where code is deployed. */
export type Deployed = 'edge' | 'devices'

const first = 'first' as RunId

/** By what is left of a seed; the others push each entry at once. */
const policies: readonly (SyncPolicy | undefined)[] = [
  { every: Infinity, intervalMs: 'adaptive' },
  { every: 4, intervalMs: 10_000 },
]

/** For how long keys are lent to the edge, in ms, by what is left of a seed. */
const lendings: readonly (number | undefined)[] = [undefined, 600_000, 15_000]

/** One world: devices with tabs, perhaps an edge, people, and an agent, all thrown by a seed. */
export class Simulation implements SimWorld {
  readonly dice: Dice
  readonly scheduler = new Scheduler()
  readonly coverage = new Coverage()
  readonly effects: Effects
  readonly person: Person
  /** In some of the worlds: of the seed itself. */
  readonly sessionPeople: SessionPeople | undefined
  readonly devices: SimDevice[] = []
  readonly objects = new Map<RunId, SimObject>()
  readonly hasEdge: boolean
  /** How far the clock of the edge is from the simulation's, in ms. */
  edgeSkew = 0
  network: typeof calmNetwork
  failure: string | undefined
  readonly #told: { readonly at: number; readonly what: string }[] = []
  readonly #copies = new Set<SimDevice>()
  /** What tabs follow, of those that were opened when nothing went wrong any more. */
  readonly #following = new Map<SimTab, Set<RunId>>()
  readonly #isOtherCode: Record<Deployed, boolean> = { edge: false, devices: false }
  readonly #programs: {
    readonly own: ReturnType<typeof throwProgram>
    readonly other: ReturnType<typeof throwProgram>
  }
  /** In some of the worlds people often take back what a run has done: of the seed itself, too. */
  readonly isRegretful: boolean
  /** In some of the worlds runs have children: of the seed itself, too. */
  readonly #hasChildren: boolean
  /** In half of them, as in production, turns are not replayed before they commit. */
  readonly #isDeveloping: boolean
  readonly #whenGone: 'edge' | 'offer'
  /** In some of the worlds as much as can be let go of is: of the seed itself, so that the dice of the others fall as they did. */
  readonly #isForgetful: boolean
  /** In some of the worlds the edge cannot read what it keeps, or for a time only: of the seed itself, too, and half of the forgetful and of the restless ones. */
  readonly #encryption: Encryption | undefined
  /** What some of the runs may use: of the seed itself, too. */
  readonly #budget: { readonly steps?: number }
  /** How devices gather entries, in some of the worlds: of the seed itself, too. */
  readonly #syncPolicy: SyncPolicy | undefined

  constructor(seed: number) {
    const dice = new Dice(seed)
    this.dice = dice
    this.effects = new Effects(this)
    this.#isForgetful = seed % 16 === 2
    const isSealing = seed % 16 === 5 || seed % 32 === 18 || seed % 32 === 19
    this.#encryption = isSealing
      ? simEncryption(lendings[Math.floor(seed / 32) % lendings.length])
      : undefined
    const thrown = throwProgram(dice)
    this.#isDeveloping = seed % 2 === 0
    this.isRegretful = seed % 16 === 7
    this.#hasChildren = seed % 16 === 11
    const effective = this.isRegretful ? withEffects(thrown) : thrown
    const program = this.#hasChildren ? withChildren(effective, new Dice(~seed)) : effective
    // Long enough that there is something to let go of.
    const own = this.#isForgetful ? [...program, ...program] : program
    this.#programs = { own, other: changeProgram(own, dice) }
    this.hasEdge = dice.chance(0.9)
    this.#budget = seed % 3 === 0 ? { steps: 2 + (seed % 7) } : {}
    this.#syncPolicy = policies[seed % 10]
    this.network = dice.chance(0.8) ? wildNetwork : calmNetwork
    const whenGone = dice.chance(0.5) ? 'edge' : 'offer'
    this.#whenGone = isSealing ? 'offer' : whenGone
    this.sessionPeople = seed % 5 === 4 ? this.#newSession() : undefined
    this.#newDevice('laptop')
    if (this.hasEdge) this.#newDevice('phone')
    this.person = new Person({
      world: this,
      effects: this.effects,
      devices: () => this.devices,
      runs: () => this.runs(),
      hasEdge: this.hasEdge,
      // In some of the worlds runs are handed around all the time.
      isRestless: seed % 16 === 3,
      isRegretful: this.isRegretful,
      lends: this.#encryption?.lend !== undefined,
      hasChildren: this.#hasChildren,
    })
  }

  fail(what: string): void {
    this.failure ??= what
  }

  tell(what: string): void {
    this.#told.push({ at: this.scheduler.now, what })
  }

  /** What was told, line by line. */
  get story(): readonly string[] {
    return this.#told.map(({ at, what }) => `${at.toFixed(0).padStart(8)} ms  ${what}`)
  }

  /** Starts the run, unless there is one. */
  begin(): void {
    const [laptop] = this.devices
    if (laptop === undefined || this.runs().some(({ run }) => run === first)) return
    const options = { id: first, whenGone: this.#whenGone, leaseMs: 10_000, budget: this.#budget }
    const [tab] = laptop.tabs
    tab?.runtime
      .then((runtime) => runtime.start('sim', encodeValue(null), options))
      .catch((error: unknown) => this.tell(`the run was not started: ${String(error)}`))
  }

  /** The log of each run as whoever decides about it has it. */
  runs(): readonly LogMirror[] {
    const known = new Set(this.objects.keys())
    for (const { disk } of this.devices) for (const run of disk.mirrors.keys()) known.add(run)
    return [...known].flatMap((run) => {
      if (run === sharedNotes) return []
      const disks = [...(this.objects.has(run) ? [this.#object(run)] : []), ...this.devices].map(
        ({ disk }) => disk,
      )
      const log = disks.map((disk) => disk.mirrors.get(run)).find((mirror) => mirror?.head)
      return log ? [log] : []
    })
  }

  /** Other code is deployed, or the old one again; everything there starts anew. */
  redeploy(where: Deployed): void {
    this.#isOtherCode[where] = !this.#isOtherCode[where]
    if (where === 'edge') for (const object of this.objects.values()) object.kill()
    else for (const device of this.devices) this.#restart(device, () => device.open())
  }

  /** From here on nothing goes wrong: everything starts anew with the code that belongs here. */
  heal(): void {
    this.tell('from here on nothing goes wrong')
    this.network = calmNetwork
    this.edgeSkew = 0
    this.#isOtherCode.edge = false
    this.#isOtherCode.devices = false
    for (const object of this.objects.values()) {
      object.disk.heal()
      object.kill()
    }
    // A copy is found out and thrown away.
    for (const copy of this.#copies) {
      copy.isGone = true
      for (const tab of copy.tabs) copy.kill(tab)
      this.devices.splice(this.devices.indexOf(copy), 1)
    }
    for (const device of this.devices) {
      device.isOnline = true
      device.skew = 0
      device.disk.heal()
      this.#restart(device, () => this.#following.set(device.open(), new Set()))
    }
    this.follow()
  }

  /** From the time on from which nothing goes wrong each device follows every run: in the end all have the same. */
  follow(): void {
    for (const [{ runtime }, followed] of this.#following)
      for (const { run } of this.runs()) {
        if (followed.has(run)) continue
        followed.add(run)
        runtime.then((opened) => opened.watch(run, () => undefined)).catch(() => undefined)
      }
  }

  /** A profile is copied, with all that it has: from here on two devices take themselves for the same one. */
  async copy(device: SimDevice): Promise<void> {
    if (this.#copies.size > 0) return
    const copy = this.#newDevice(device.name)
    this.#copies.add(copy)
    device.disk.isForgetful = true
    await copy.disk.restore(device.disk.upTo(device.disk.changes))
    copy.open()
  }

  #newSession(): SessionPeople {
    return new SessionPeople({
      world: this,
      devices: () => this.devices,
      object: this.hasEdge ? () => this.#object(sharedNotes) : undefined,
      padChars: this.#isForgetful ? 20_000 : 0,
    })
  }

  #restart(device: SimDevice, open: () => void): void {
    for (const tab of device.tabs) device.kill(tab)
    open()
  }

  #newDevice(name: string): SimDevice {
    const device: SimDevice = new SimDevice({
      name,
      world: this,
      agents: this.#agents('devices', () => device.disk),
      faults: () => this.network,
      encryption: this.#encryption,
      isDeveloping: this.#isDeveloping,
      ...(this.sessionPeople ? { session: this.#isForgetful ? { retention: { saves: 1 } } : {} } : {}),
      ...(this.#syncPolicy ? { syncPolicy: this.#syncPolicy } : {}),
      ...(this.hasEdge ? { object: (run: RunId) => this.#object(run) } : {}),
    })
    watchLog(device.disk, this)
    if (this.hasEdge) device.disk.alsoAt = (run) => this.#object(run).disk
    this.devices.push(device)
    return device
  }

  #object(run: RunId): SimObject {
    const known = this.objects.get(run)
    if (known) return known
    const object: SimObject = new SimObject(run, {
      world: this,
      agents: this.#agents('edge', () => object.disk),
      skew: () => this.edgeSkew,
      object: (other) => this.#object(other),
    })
    watchEdge(object.disk, this)
    this.objects.set(run, object)
    return object
  }

  #agents(where: Deployed, disk: () => SimDisk): (realm: Realm) => readonly AnyAgent[] {
    const decides = (run: string): SimDisk => (this.hasEdge ? this.#object(run as RunId).disk : disk())
    return (realm) => {
      const { own, other } = this.#programs
      const agent = simAgent(this.#isOtherCode[where] ? other : own, 1, this.#isForgetful)
      const at = { realm, disk: disk(), decides }
      return [agent, ...(this.#hasChildren ? [helperAgent] : [])].map((one) => inWorld(one, this, at))
    }
  }
}
