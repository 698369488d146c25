import { openSession, type SessionRetention } from '@waystone/core/session'
import {
  Runtime,
  type AnyAgent,
  type Encryption,
  type OwnerId,
  type RunId,
  type SyncPolicy,
} from '@waystone/core'
import { realmClock } from './realm-clock.ts'
import { newRealm, type Realm } from './scheduler.ts'
import { simChannels } from './sim-channels.ts'
import { SimDisk } from './sim-disk.ts'
import type { SimObject } from './sim-edge.ts'
import { SimLocks } from './sim-locks.ts'
import type { NetworkFaults } from './network-faults.ts'
import { simEdge } from './sim-network.ts'
import { sharedNotes, SimSession, type Notes } from './sim-session.ts'
import type { SimWorld } from './sim-world.ts'

/** A tab of a device. */
export interface SimTab {
  readonly realm: Realm
  /** Rejects when the disk failed while it opened. */
  readonly runtime: Promise<Runtime>
  /** In worlds that have one. */
  readonly session: SimSession | undefined
}

/** What a device needs of its surroundings. */
export interface DeviceOptions {
  readonly name: string
  readonly world: SimWorld
  /** Absent: it has no edge. */
  readonly object?: (run: RunId) => SimObject
  readonly agents: (realm: Realm) => readonly AnyAgent[]
  readonly faults: () => NetworkFaults
  /** Absent: each entry goes to the edge at once. */
  readonly syncPolicy?: SyncPolicy
  /** Its tabs have a session open beside, of which so much is kept. */
  readonly session?: { readonly retention?: SessionRetention }
  /** What all that begins there is encrypted with. */
  readonly encryption: Encryption | undefined
  /** Each turn is replayed before it commits. */
  readonly isDeveloping: boolean
}

/** A browser profile and the tabs that are open on it. */
export class SimDevice {
  readonly name: string
  readonly disk: SimDisk
  readonly tabs = new Set<SimTab>()
  isOnline = true
  /** Nobody opens it any more. */
  isGone = false
  /** How far its clock is from the simulation's, in ms. */
  skew = 0
  readonly #options: DeviceOptions
  readonly #locks: SimLocks
  readonly #channel: ReturnType<typeof simChannels>
  readonly #sessions: ReturnType<typeof simChannels>
  #opened = 0

  constructor(options: DeviceOptions) {
    this.name = options.name
    this.#options = options
    this.disk = new SimDisk(options.name, options.world)
    this.#locks = new SimLocks(options.world.scheduler)
    this.#channel = simChannels(options.world)
    this.#sessions = simChannels(options.world)
  }

  get me(): OwnerId {
    return this.name as OwnerId
  }

  /** Opens one more tab. */
  open(): SimTab {
    const {
      world,
      object,
      agents,
      faults,
      syncPolicy,
      session: has,
      encryption,
      isDeveloping,
    } = this.#options
    this.#opened += 1
    const realm = newRealm(`${this.name} tab ${String(this.#opened)}`)
    const { me } = this
    const wire = object && { world, object, me, isOnline: () => this.isOnline, faults }
    const storage = this.disk.mount(realm)
    const ports = {
      me,
      place: 'browser',
      clock: realmClock(realm, { ...world, skew: () => this.skew }),
      random: (bytes: number) => world.dice.bytes(bytes),
      locks: this.#locks.of(realm),
      ...(wire ? { edge: simEdge(realm, wire) } : {}),
    } as const
    const runtime = Runtime.open({
      ...storage,
      ...ports,
      channel: this.#channel(realm),
      agents: agents(realm),
      ...(syncPolicy ? { syncPolicy } : {}),
      encryption,
      development: isDeveloping,
    })
    const session = has
      ? openSession<Notes>({
          ...ports,
          storage,
          channel: this.#sessions(realm),
          id: sharedNotes,
          initial: { notes: [], count: 0, pad: '' },
          ...(encryption ? { cipher: encryption.cipher } : {}),
          ...has,
        })
      : undefined
    const tab = { realm, runtime, session: session && new SimSession(session) }
    // Who sees that it has failed loads the page anew.
    runtime.catch(() => this.kill(tab))
    session?.catch(() => this.kill(tab))
    this.tabs.add(tab)
    return tab
  }

  /** The tab is no more, whatever it was doing. */
  kill(tab: SimTab): void {
    if (!tab.realm.alive) return
    tab.realm.alive = false
    this.tabs.delete(tab)
    this.#locks.died(tab.realm)
  }
}
