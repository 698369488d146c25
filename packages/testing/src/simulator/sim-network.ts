import {
  edgeOwner,
  fromWire,
  toWire,
  type Edge,
  type OwnerId,
  type RemoteBlobs,
  type Remote,
  type RunId,
  type RunKeeper,
} from '@waystone/core'
import type { NetworkFaults } from './network-faults.ts'
import type { SimObject } from './sim-edge.ts'
import { SimFollow } from './sim-follow.ts'
import { lendingKey } from './sim-lent-keys.ts'
import type { Realm } from './scheduler.ts'
import { question } from './sim-question.ts'
import type { SimWorld } from './sim-world.ts'

/** Where a device's requests go. */
export interface Wire {
  readonly world: SimWorld
  readonly object: (run: RunId) => SimObject
  readonly me: OwnerId
  readonly isOnline: () => boolean
  readonly faults: () => NetworkFaults
}

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
    claim: (run, claim) => ask(run, 'claim', ({ keeper }) => keeper.claim(claim, wire.me)),
    hold: (run, ms, from, successor) =>
      ask(run, 'hold', async ({ keeper }) => {
        const { owner } = keeper.log.mustFold()
        const held = await keeper.hold(ms, from, successor)
        const isHere = owner !== wire.me && keeper.log.mustFold().owner === wire.me
        if (isHere) wire.world.coverage.hit('handed over', owner === edgeOwner ? 'edge' : 'device')
        else if (successor) wire.world.coverage.hit('held', owner === edgeOwner ? 'edge' : 'device')
        return held
      }),
    blockers: (run) => ask(run, 'blockers', ({ keeper }) => keeper.authority.blockers()),
    lendingKey: (run) => ask(run, 'lending key', () => Promise.resolve(lendingKey)),
    send: (run, item) => ask(run, 'send', ({ keeper }) => keeper.send(item)),
    follow: (run, options) => new SimFollow({ realm, wire, run, options, remote }),
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
  return question<unknown>(realm, scheduler, what, ({ resolve, reject, lost }) => {
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
          if ('error' in answer) reject(fromWire(answer.error))
          else resolve(answer.value)
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
