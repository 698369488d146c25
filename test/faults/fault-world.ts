import {
  isWaystoneError,
  RunHandle,
  Runtime,
  type AnyAgent,
  type Clock,
  type Edge,
  type ErrorCode,
  type Locks,
  type OwnerId,
  type RunId,
  type RunStorage,
  type RunView,
} from '@waystone/core'
import { memoryChannels, memoryLocks, memoryStorage } from '@waystone/core/memory'
import { FastClock } from './fast-clock.ts'
import { FaultEdge } from './fault-edge.ts'
import { Fault, type FaultKind } from './fault.ts'
import { Outside } from './outside.ts'

/** Where the fault is: in the ports of the device, or in those of the edge. */
export type FaultSide = 'device' | 'edge'

/** What a test may keep its runs in; gone with the test. */
export interface Stores {
  /** Opens what one side has, once more. */
  open(side: FaultSide): RunStorage
  close(): Promise<void>
}

/** How long somebody is patient, in the time of the clock, in looks of half a second. */
const looksMax = 2_000

/** A device, an edge and the world outside, in which one call goes wrong. */
export class FaultWorld {
  readonly clock = new FastClock()
  readonly outside = new Outside()
  readonly fault: Fault
  readonly edge: FaultEdge | undefined
  readonly stores: Stores
  readonly #agents: readonly AnyAgent[]
  readonly #locks = memoryLocks()
  readonly #channels = memoryChannels()
  readonly #edgeStorage: RunStorage
  readonly #side: FaultSide
  #devices = 0
  #other: { readonly host: FaultHost; readonly storage: RunStorage } | undefined

  constructor(options: {
    readonly stores: Stores
    readonly agents: (outside: Outside) => readonly AnyAgent[]
    readonly side: FaultSide
    readonly kind: FaultKind
    readonly at: number
    readonly edge: boolean
  }) {
    this.stores = options.stores
    this.#side = options.side
    this.#agents = options.agents(this.outside)
    this.fault = new Fault(options.kind, options.at)
    this.#edgeStorage = this.stores.open('edge')
    let processes = 0
    this.edge = options.edge
      ? new FaultEdge({
          clock: this.clock,
          storage: this.#noted(this.#edgeStorage),
          agents: this.#agents,
          faults: () => (this.#side === 'edge' && processes++ === 0 ? this.fault : untouched()),
        })
      : undefined
  }

  /** A host of the device; the first one is that whose calls go wrong. */
  host(): FaultHost {
    const fault = this.#side === 'device' && this.#devices++ === 0 ? this.fault : untouched()
    const { store, ...rest } = this.#noted(this.stores.open('device'))
    const storage: RunStorage = {
      store: fault.wrap('store', 'storage', store),
      tails: fault.wrap('tails', 'storage', rest.tails),
      snapshots: fault.wrap('snapshots', 'storage', rest.snapshots),
      blobs: fault.wrap('blobs', 'storage', rest.blobs),
      inbox: fault.wrap('inbox', 'storage', rest.inbox),
      streams: fault.wrap('streams', 'storage', rest.streams),
    }
    return new FaultHost(this, fault, storage, this.#agents, {
      device: 'laptop' as OwnerId,
      locks: locksOf(this.#locks, fault),
      channel: this.#channels(),
      edge: this.edge?.from('laptop' as OwnerId, fault),
    })
  }

  /** The one host of another device, with which nothing goes wrong. */
  other(): FaultHost {
    if (this.#other) return this.#other.host
    const [device, fault, storage] = ['phone' as OwnerId, untouched(), this.#noted(memoryStorage())]
    const host = new FaultHost(this, fault, storage, this.#agents, {
      ...{ device, locks: memoryLocks(), channel: memoryChannels()() },
      edge: this.edge?.from(device, fault),
    })
    this.#other = { host, storage }
    return host
  }

  /** What each device and the edge have stored, as nobody has it whose calls go wrong. */
  storages(): readonly RunStorage[] {
    const other = this.#other ? [this.#other.storage] : []
    return [this.stores.open('device'), ...other, this.#edgeStorage]
  }

  async close(): Promise<void> {
    await this.#other?.host.close()
    this.clock.stop()
    await this.stores.close()
  }

  /** Notes what a store acknowledges. */
  #noted(storage: RunStorage): RunStorage {
    const { store } = storage
    const append: RunStorage['store']['append'] = async (run, given) => {
      const answer = await store.append(run, given)
      if (answer.ok) this.outside.acknowledged(run, given.lines)
      return answer
    }
    return {
      ...storage,
      store: {
        append,
        read: store.read.bind(store),
        head: store.head.bind(store),
        list: store.list.bind(store),
        compact: store.compact.bind(store),
        close: () => Promise.resolve(),
      },
    }
  }
}

/** What a host is opened with, beside its storage. */
interface Around {
  readonly device: OwnerId
  readonly locks: Locks
  readonly channel: ReturnType<ReturnType<typeof memoryChannels>>
  readonly edge: Edge | undefined
}

/** One process of the device, and the person before it, who tries again what is refused for a while. */
export class FaultHost {
  readonly world: FaultWorld
  readonly fault: Fault
  readonly storage: RunStorage
  readonly #agents: readonly AnyAgent[]
  readonly #around: Around
  readonly clock: Clock
  #runtime: Promise<Runtime> | undefined

  constructor(
    world: FaultWorld,
    fault: Fault,
    storage: RunStorage,
    agents: readonly AnyAgent[],
    around: Around,
  ) {
    this.world = world
    this.fault = fault
    this.storage = storage
    this.#agents = agents
    this.#around = around
    this.clock = fault.clock(world.clock)
  }

  get edge(): Edge | undefined {
    return this.#around.edge
  }

  get channel(): Around['channel'] {
    return this.#around.channel
  }

  get locks(): Locks {
    return this.#around.locks
  }

  /** The runs of the device; opened again when that failed. */
  runtime(): Promise<Runtime> {
    this.#runtime ??= this.insist(() =>
      Runtime.open({
        ...this.storage,
        me: this.#around.device,
        place: 'browser',
        clock: this.clock,
        random,
        locks: this.#around.locks,
        channel: this.#around.channel,
        agents: this.#agents,
        ...(this.#around.edge ? { edge: this.#around.edge } : {}),
      }),
    )
    return this.#runtime
  }

  async close(): Promise<void> {
    await (await this.#runtime)?.close()
  }

  get device(): OwnerId {
    return this.#around.device
  }

  /** Does something until it is not refused for a reason that passes. */
  async insist<T>(work: () => Promise<T>, passing: readonly ErrorCode[] = []): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work()
      } catch (error) {
        const isPassing = [...passes, ...passing].some((code) => isWaystoneError(error, code))
        if (!isPassing || tries === 100) throw error
        await this.clock.wait(500)
      }
    }
  }

  async handle(run: string): Promise<RunHandle> {
    const runtime = await this.runtime()
    return this.insist(async () => {
      const handle = await RunHandle.open(run as RunId, runtime, random)
      if (handle.error !== undefined) throw handle.error
      return handle
    })
  }

  /** The first view of a run that fits, looked at anew every half second. */
  async until(run: string, fits: (view: RunView) => boolean, what: string): Promise<RunView> {
    let view: RunView | undefined
    for (let looks = 0; looks < looksMax; looks += 1) {
      const handle = await this.handle(run)
      view = handle.view()
      await handle.close()
      if (view && fits(view)) return view
      await this.clock.wait(500)
    }
    const { status, head, owner, pause, live } = view ?? {}
    throw new Error(`${what}: never came. ${JSON.stringify({ status, head, owner, pause, live })}`)
  }
}

const passes: readonly ErrorCode[] = ['storage_failed', 'unreachable', 'head_moved']

function random(bytes: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(bytes))
}

function untouched(): Fault {
  return new Fault('fail', Infinity)
}

/** Locks of a host, which let go by themselves when it ends. */
function locksOf(locks: Locks, fault: Fault): Locks {
  return {
    async acquire(name, signal) {
      const ended = new AbortController()
      const stop = (): void => ended.abort()
      signal.addEventListener('abort', stop)
      void fault.killed.then(stop)
      const lock = await fault.whileAlive(
        locks.acquire(name, ended.signal).then((got) => {
          void fault.killed.then(() => got.release())
          return got
        }),
      )
      return lock
    },
  }
}
