import {
  RunKeeper,
  watchdogMs,
  WaystoneError,
  type AnyAgent,
  type Clock,
  type Edge,
  type FollowOptions,
  type OwnerId,
  type Remote,
  type RunId,
  type RunStorage,
  type WatchEvent,
} from '@waystone/core'
import type { Fault } from './fault.ts'

interface Follower {
  readonly device: OwnerId
  readonly options: FollowOptions
  readonly fault: Fault
}

/** One process of the edge: what it holds in memory. */
interface EdgeProcess {
  readonly fault: Fault
  readonly keepers: Map<RunId, Promise<RunKeeper>>
}

/** An edge in this process with the real keeper of runs. Its storage outlives it, and so do the times at which it is due. */
export class FaultEdge {
  readonly #clock: Clock
  readonly #storage: RunStorage
  readonly #agents: readonly AnyAgent[]
  readonly #due = new Map<RunId, number>()
  readonly #appended = new Map<RunId, number>()
  readonly #followers = new Map<RunId, Set<Follower>>()
  readonly #newFault: () => Fault
  #process: EdgeProcess

  constructor(options: {
    readonly clock: Clock
    readonly storage: RunStorage
    readonly agents: readonly AnyAgent[]
    /** What may go wrong in the first process, and in those after it. */
    readonly faults: () => Fault
  }) {
    this.#clock = options.clock
    this.#storage = options.storage
    this.#agents = options.agents
    this.#newFault = options.faults
    this.#process = this.#begin()
  }

  /** The edge as a device reaches it, whose host may end. */
  from(device: OwnerId, fault: Fault): Edge {
    const remote: Omit<Remote, 'follow'> = {
      push: (run, append) =>
        this.#ask(run, async (keeper) => {
          const pushed = await keeper.authority.push(append)
          if (pushed.ok) await keeper.pushed()
          return pushed
        }),
      pull: (run, from, as) => this.#ask(run, (keeper) => keeper.authority.pull(from, as)),
      claim: (run, claim) => this.#ask(run, (keeper) => keeper.claim(claim, device)),
      hold: (run, ms, from, successor) => this.#ask(run, (keeper) => keeper.hold(ms, from, successor)),
      blockers: (run) => this.#ask(run, (keeper) => keeper.authority.blockers()),
      send: (run, item) => this.#ask(run, (keeper) => keeper.send(item)),
    }
    const follow: Edge['remote']['follow'] = (run, options) => this.#follow(run, { device, options, fault })
    const { put, get, missing, share } = this.#storage.blobs
    return {
      remote: { ...fault.wrap('remote', 'network', remote), follow },
      blobs: fault.wrap('remote blobs', 'network', { put, get, missing, share }),
    }
  }

  #begin(): EdgeProcess {
    const process = { fault: this.#newFault(), keepers: new Map<RunId, Promise<RunKeeper>>() }
    void process.fault.killed.then(() => {
      this.#process = this.#begin()
      // Connections end with the process, and are opened again.
      for (const [run, followers] of this.#followers)
        for (const follower of followers) void this.#connect(run, follower)
      for (const [run, at] of this.#due) this.#arm(run, at)
    })
    return process
  }

  async #ask<T>(run: RunId, ask: (keeper: RunKeeper) => Promise<T>): Promise<T> {
    const process = this.#process
    const gone = process.fault.killed.then(() => {
      throw new WaystoneError('unreachable', 'the edge ended while it was asked')
    })
    gone.catch(() => undefined)
    return Promise.race([this.#keeper(process, run).then(ask), gone])
  }

  #keeper(process: EdgeProcess, run: RunId): Promise<RunKeeper> {
    const known = process.keepers.get(run)
    if (known) return known
    const opening = this.#open(process, run)
    process.keepers.set(run, opening)
    opening.catch(() => process.keepers.delete(run))
    return opening
  }

  #open({ fault }: EdgeProcess, run: RunId): Promise<RunKeeper> {
    const { snapshots, blobs, inbox, streams, tails, store } = this.#storage
    const wrapped = fault.wrap('edge store', 'storage', store)
    return RunKeeper.open(run, {
      clock: fault.clock(this.#clock),
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      storage: {
        tails,
        streams,
        snapshots: fault.wrap('edge snapshots', 'storage', snapshots),
        blobs: fault.wrap('edge blobs', 'storage', blobs),
        inbox: fault.wrap('edge inbox', 'storage', inbox),
        store: {
          append: async (of, append) => {
            const answer = await wrapped.append(of, append)
            this.#appended.set(of, this.#clock.now())
            return answer
          },
          read: (...args) => wrapped.read(...args),
          head: (of) => wrapped.head(of),
          list: (of) => wrapped.list(of),
          compact: (...args) => wrapped.compact(...args),
          close: () => wrapped.close(),
          lastAppend: (of) => this.#appended.get(of),
        },
      },
      due: {
        set: async (at) => {
          if (fault.alive) this.#arm(run, at)
        },
        delete: async () => {
          if (fault.alive) this.#due.delete(run)
        },
        get: () => this.#due.get(run),
        begin: async () => {
          if (fault.alive) this.#arm(run, this.#clock.now())
          return 1
        },
      },
      followers: {
        tell: (event, except) => {
          if (fault.alive) this.#tell(run, event, except)
        },
        tellDevice: (device, event) => fault.alive && this.#tellDevice(run, device, event),
        lastHeard: (device) =>
          [...(this.#followers.get(run) ?? [])].some((one) => one.device === device && one.fault.alive)
            ? this.#clock.now()
            : undefined,
      },
      streamNames: () => [],
      agents: () => this.#agents,
      changed: () => undefined,
      failed: () => undefined,
    })
  }

  /** As an object has it: the time is put off before the work begins, so that a killed one wakes again. */
  #arm(run: RunId, at: number): void {
    this.#due.set(run, at)
    void this.#clock.wait(at - this.#clock.now()).then(async () => {
      if (this.#due.get(run) !== at) return
      this.#due.set(run, this.#clock.now() + watchdogMs)
      const process = this.#process
      try {
        await (
          await this.#keeper(process, run)
        ).alarm({ until: this.#clock.now() + watchdogMs, steps: Infinity, tries: 1 })
      } finally {
        const due = this.#due.get(run)
        if (due !== undefined) this.#arm(run, due)
      }
    })
  }

  #tellDevice(run: RunId, to: string, event: WatchEvent): boolean {
    const theirs = [...(this.#followers.get(run) ?? [])].filter(
      ({ device, fault }) => device === to && fault.alive,
    )
    for (const { options } of theirs) options.onEvent(event)
    return theirs.length > 0
  }

  #tell(run: RunId, event: WatchEvent, except?: string): void {
    for (const { device, options, fault } of this.#followers.get(run) ?? [])
      if (device !== except && fault.alive) options.onEvent(event)
  }

  #follow(run: RunId, follower: Follower): ReturnType<Edge['remote']['follow']> {
    const followers = this.#followers.get(run) ?? new Set()
    this.#followers.set(run, followers.add(follower))
    void this.#connect(run, follower)
    return {
      tell: (event) => {
        if (follower.fault.alive && (event.type === 'live' || event.type === 'stream'))
          void this.#ask(run, (keeper) => keeper.heard(event, follower.device)).catch(() => undefined)
      },
      close: () => void followers.delete(follower),
    }
  }

  async #connect(run: RunId, follower: Follower): Promise<void> {
    const { options, fault } = follower
    if (!fault.alive) return
    options.onState(false)
    const events = await this.#ask(run, (keeper) => keeper.greeting(options.from())).catch(() => undefined)
    if (!fault.alive) return
    if (events === undefined) return void this.#clock.wait(500).then(() => this.#connect(run, follower))
    options.onState(true)
    for (const event of events) options.onEvent(event)
  }
}
