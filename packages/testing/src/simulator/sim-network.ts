import {
  fromWire,
  headOfLine,
  toWire,
  WaystoneError,
  type Edge,
  type FollowOptions,
  type Follow,
  type OwnerId,
  type RemoteBlobs,
  type Remote,
  type RunId,
  type RunKeeper,
  type WatchEvent,
} from '@waystone/core'
import type { NetworkFaults } from './network-faults.ts'
import type { Follower, SimObject } from './sim-edge.ts'
import type { Realm } from './scheduler.ts'
import type { SimWorld } from './sim-world.ts'

/** Where a device's requests go. */
export interface Wire {
  readonly world: SimWorld
  readonly object: (run: RunId) => SimObject
  readonly me: OwnerId
  readonly isOnline: () => boolean
  readonly faults: () => NetworkFaults
}

/** A request without an answer counts as unreachable after this, in ms. */
const answerMsMax = 10_000
const pingMs = 5_000
const againMsMin = 500
const againMsMax = 15_000

type Handle = (object: { readonly keeper: RunKeeper; readonly blobs: RemoteBlobs }) => Promise<unknown>

/** The edge as one tab of a device reaches it. */
export function simEdge(realm: Realm, wire: Wire): Edge {
  const ask = <T>(run: RunId, what: string, handle: Handle): Promise<T> =>
    request(realm, wire, run, what, handle) as Promise<T>
  const remote: Remote = {
    push: (run, append) =>
      ask(run, 'push', async ({ keeper }) => {
        const pushed = await keeper.authority.push(append)
        if (pushed.ok) await keeper.pushed()
        return pushed
      }),
    pull: (run, from, as) => ask(run, 'pull', ({ keeper }) => keeper.authority.pull(from, as)),
    claim: (run, claim) => ask(run, 'claim', ({ keeper }) => keeper.claim(claim)),
    hold: (run, ms) => ask(run, 'hold', ({ keeper }) => keeper.hold(ms)),
    blockers: (run) => ask(run, 'blockers', ({ keeper }) => keeper.authority.blockers()),
    send: (run, item) => ask(run, 'send', ({ keeper }) => keeper.send(item)),
    follow: (run, options) => follow(realm, wire, run, options, remote),
  }
  const blobs: RemoteBlobs = {
    put: (run, hash, bytes, options) =>
      ask(run, 'put blob', (object) => object.blobs.put(run, hash, bytes, options)),
    get: (run, hash) => ask(run, 'get blob', (object) => object.blobs.get(run, hash)),
    missing: (run, hashes) => ask(run, 'missing blobs', (object) => object.blobs.missing(run, hashes)),
    // Each run has an object, and so a disk, of its own here.
    share: async (_from, _to, hashes) => hashes,
  }
  return { remote, blobs }
}

function request(realm: Realm, wire: Wire, run: RunId, what: string, handle: Handle): Promise<unknown> {
  const { world, faults, isOnline } = wire
  const { scheduler, dice, coverage } = world
  return new Promise((resolve, reject) => {
    let settled = false
    const settle = (work: () => void): void => {
      if (!settled) realm.pending.delete(what)
      if (!settled) work()
      settled = true
      late.cancelled = true
    }
    const lost = (): void => settle(() => reject(new WaystoneError('unreachable', `no answer to ${what}`)))
    const late = scheduler.after(answerMsMax, `${what} timed out`, realm, lost)
    realm.pending.add(what)
    const offline = (): boolean => {
      if (isOnline()) return false
      coverage.hit('partition', what)
      return true
    }
    if (offline()) return void scheduler.after(dice.between(1, 50), `${what} offline`, realm, lost)
    const { dropped, answerDropped, duplicated, late: slow } = faults()
    const arrive = (isSecond: boolean): void => {
      if (offline()) return
      void answerOf(wire, run, handle).then((answer) => {
        if (isSecond || answer === undefined) {
          // The object died over it: the connection breaks.
          if (!isSecond) scheduler.after(dice.between(1, 20), `${what} broke`, realm, lost)
          return
        }
        if (dice.chance(answerDropped)) return coverage.hit('answer dropped', what)
        scheduler.after(delay(wire, slow), `${what} answered`, realm, () => {
          if (offline()) return
          settle(() => ('error' in answer ? reject(fromWire(answer.error)) : resolve(answer.value)))
        })
      })
    }
    if (dice.chance(dropped)) return coverage.hit('dropped', what)
    scheduler.after(delay(wire, slow), what, undefined, () => arrive(false))
    if (!dice.chance(duplicated)) return
    coverage.hit('duplicated', what)
    scheduler.after(dice.between(1, 3_000), `${what} again`, undefined, () => arrive(true))
  })
}

/** What the object says, in its wire form; undefined when it dies before. */
async function answerOf(
  { object }: Wire,
  run: RunId,
  handle: Handle,
): Promise<{ readonly value: unknown } | { readonly error: ReturnType<typeof toWire> } | undefined> {
  const { realm, keeper, blobs } = object(run).wake()
  try {
    const value = await handle({ keeper: await keeper, blobs })
    return realm.alive ? { value } : undefined
  } catch (error) {
    return realm.alive ? { error: toWire(error) } : undefined
  }
}

function delay({ world: { dice, coverage } }: Wire, late: number): number {
  if (!dice.chance(late)) return dice.between(2, 40)
  coverage.hit('delayed', 'message')
  return dice.between(40, 9_000)
}

/** A live connection that comes back by itself; between two of them requests bring what is new. */
function follow(realm: Realm, wire: Wire, run: RunId, options: FollowOptions, remote: Remote): Follow {
  const { world, object, me, isOnline } = wire
  const { scheduler, dice } = world
  let closed = false
  let connected:
    { readonly followers: Set<Follower>; readonly follower: Follower; readonly keeper: RunKeeper } | undefined
  let wait = againMsMin
  const again = (): void => {
    if (closed) return
    void poll().then(() => {
      scheduler.after(wait * dice.between(0.75, 1.25), 'connect', realm, () => void connect())
      wait = Math.min(wait * 2, againMsMax)
    })
  }
  const poll = async (): Promise<void> => {
    try {
      const { lines, inbox } = await remote.pull(run, options.from(), me)
      if (closed) return
      options.onState(true)
      if (lines[0]) options.onEvent({ type: 'lines', from: headOfLine(lines[0]).seq, lines })
      if (inbox.length > 0) options.onEvent({ type: 'inbox' })
    } catch {
      if (!closed) options.onState(false)
    }
  }
  const connect = async (): Promise<void> => {
    if (closed) return
    if (!isOnline()) return again()
    const { realm: there, keeper: opening, followers } = object(run).wake()
    try {
      const keeper = await opening
      const first = await keeper.greeting(options.from())
      if (!there.alive || !realm.alive || closed) return again()
      let heard = scheduler.now
      let isLost = false
      const lose = (): void => {
        if (isLost) return
        isLost = true
        followers.delete(follower)
        scheduler.after(dice.between(1, 500), 'connection lost', realm, () => {
          connected = undefined
          again()
        })
      }
      const follower: Follower = {
        device: me,
        hear: (event) => {
          if (!isOnline() || !realm.alive) return lose()
          scheduler.inLine(`live ${run}`, dice.between(1, 30), 'live', realm, () => {
            if (!isLost && !closed) options.onEvent(event)
          })
        },
        lose,
        heard: () => {
          // Pings are answered by the runtime, as long as they arrive.
          if (isOnline() && realm.alive && !realm.frozen) heard = Math.max(heard, scheduler.now - pingMs)
          return heard
        },
      }
      followers.add(follower)
      connected = { followers, follower, keeper }
      wait = againMsMin
      scheduler.inLine(`live ${run}`, dice.between(1, 30), 'connected', realm, () => options.onState(true))
      for (const event of first) follower.hear(event)
    } catch {
      again()
    }
  }
  scheduler.after(dice.between(1, 30), 'connect', realm, () => void connect())
  return {
    tell(event: WatchEvent) {
      const to = connected
      if (to === undefined || !isOnline() || (event.type !== 'live' && event.type !== 'stream')) return
      scheduler.sentInLine(
        `told ${run}`,
        dice.between(1, 30),
        'told',
        realm,
        () => void to.keeper.heard(event, me).catch(() => undefined),
      )
    },
    close() {
      closed = true
      connected?.follower.lose()
    },
  }
}
