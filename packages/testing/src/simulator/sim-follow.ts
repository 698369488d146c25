import {
  headOfLine,
  type Follow,
  type FollowOptions,
  type Remote,
  type RunId,
  type RunKeeper,
  type WatchEvent,
} from '@waystone/core'
import type { Follower } from './sim-edge.ts'
import type { Wire } from './sim-network.ts'
import type { Realm } from './scheduler.ts'

const pingMs = 5_000
const againMsMin = 500
const againMsMax = 15_000

/** Who follows, over which wire, and what it asks for between two connections. */
export interface Following {
  readonly realm: Realm
  readonly wire: Wire
  readonly run: RunId
  readonly options: FollowOptions
  readonly remote: Pick<Remote, 'pull'>
}

/** A live connection that comes back by itself; between two of them requests bring what is new. */
export class SimFollow implements Follow {
  readonly #of: Following
  #closed = false
  #connected: { readonly follower: Follower; readonly keeper: RunKeeper } | undefined
  #wait = againMsMin

  constructor(of: Following) {
    this.#of = of
    this.#connectAfter(of.wire.world.dice.between(1, 30))
  }

  tell(event: WatchEvent): void {
    const { realm, wire, run } = this.#of
    const { scheduler, dice } = wire.world
    const to = this.#connected
    if (to === undefined || !wire.isOnline()) return
    if (event.type !== 'live' && event.type !== 'stream' && event.type !== 'held') return
    const told = (): void => void to.keeper.heard(event, wire.me).catch(() => undefined)
    scheduler.sentInLine(`told ${run}`, dice.between(1, 30), 'told', realm, told)
  }

  close(): void {
    this.#closed = true
    this.#connected?.follower.lose()
  }

  #connectAfter(ms: number): void {
    const { realm, wire } = this.#of
    wire.world.scheduler.after(ms, 'connect', realm, () => void this.#connect())
  }

  #again(): void {
    if (this.#closed) return
    void this.#poll().then(() => {
      this.#connectAfter(this.#wait * this.#of.wire.world.dice.between(0.75, 1.25))
      this.#wait = Math.min(this.#wait * 2, againMsMax)
    })
  }

  async #poll(): Promise<void> {
    const { remote, run, options, wire } = this.#of
    try {
      const { lines, inbox } = await remote.pull(run, options.from(), wire.me)
      if (this.#closed) return
      options.onState(true)
      if (lines[0]) options.onEvent({ type: 'lines', from: headOfLine(lines[0]).seq, lines })
      if (inbox.length > 0) options.onEvent({ type: 'inbox' })
    } catch {
      if (!this.#closed) options.onState(false)
    }
  }

  async #connect(): Promise<void> {
    if (this.#closed) return
    const { realm, wire, run, options } = this.#of
    if (!wire.isOnline()) return this.#again()
    const { realm: there, keeper: opening, followers } = wire.object(run).wake()
    try {
      const keeper = await opening
      const first = await keeper.greeting(options.from())
      if (!there.alive || !realm.alive || this.#closed) return this.#again()
      const follower = this.#join(followers)
      this.#connected = { follower, keeper }
      this.#wait = againMsMin
      this.#inLine('connected', () => options.onState(true))
      for (const event of first) follower.hear(event)
    } catch {
      this.#again()
    }
  }

  /** One of those that an object tells, until the connection is lost. */
  #join(followers: Set<Follower>): Follower {
    const { realm, wire, options } = this.#of
    const { scheduler, dice } = wire.world
    let heard = scheduler.now
    let isLost = false
    const lose = (): void => {
      if (isLost) return
      isLost = true
      followers.delete(follower)
      scheduler.after(dice.between(1, 500), 'connection lost', realm, () => {
        this.#connected = undefined
        this.#again()
      })
    }
    const follower: Follower = {
      device: wire.me,
      hear: (event) => {
        if (!wire.isOnline() || !realm.alive) return lose()
        this.#inLine('live', () => {
          if (!isLost && !this.#closed) options.onEvent(event)
        })
      },
      lose,
      heard: () => {
        // Pings are answered by the runtime, as long as they arrive.
        if (wire.isOnline() && realm.alive && !realm.frozen) heard = Math.max(heard, scheduler.now - pingMs)
        return heard
      },
    }
    followers.add(follower)
    return follower
  }

  /** What comes over the connection comes in order. */
  #inLine(what: string, work: () => void): void {
    const { realm, wire, run } = this.#of
    const { scheduler, dice } = wire.world
    scheduler.inLine(`live ${run}`, dice.between(1, 30), what, realm, work)
  }
}
