import { WaystoneError, type ErrorCode } from '../errors.ts'
import type { OwnerId, RunId } from '../ids.ts'
import type { Fold } from '../log/fold.ts'
import type { Inbox } from '../ports/inbox.ts'
import type { Edge } from '../sync/syncer.ts'

/** What a courier works with. */
export interface CourierPorts {
  readonly me: OwnerId
  readonly inbox: Inbox
  readonly edge: Edge | undefined
  /** The last entry that the edge acknowledged; -1 for none. */
  readonly synced: () => number
}

/** The new owner has no use for an item any more: others answered, or the run is over. */
const undeliverable: readonly ErrorCode[] = [
  'answer_taken',
  'ask_unknown',
  'run_ended',
  'request_refused',
  'too_large',
]

/** Sees to it that an inbox item reaches whoever owns its run, and is forgotten only when nothing can lose it. */
export class InboxCourier {
  readonly #run: RunId
  readonly #ports: CourierPorts
  /** Consumed items by the entry that did it: while that can still be set aside, they are kept. */
  #consumed: readonly { readonly id: string; readonly seq: number }[] = []

  constructor(run: RunId, ports: CourierPorts) {
    this.#run = run
    this.#ports = ports
  }

  /** Entries up to `seq` have consumed these items: forgets them once the edge has those entries, if there is one. */
  consumed(ids: readonly string[], seq: number): void {
    this.#consumed = [...this.#consumed, ...ids.map((id) => ({ id, seq }))]
    this.synced()
  }

  /** The edge has acknowledged more. */
  synced(): void {
    const synced = this.#ports.edge ? this.#ports.synced() : Infinity
    const done = this.#consumed.filter(({ seq }) => seq <= synced).map(({ id }) => id)
    this.#consumed = this.#consumed.filter(({ seq }) => seq > synced)
    // What cannot be forgotten now is found to be consumed when the inbox is read again.
    if (done.length > 0) void this.#ports.inbox.remove(this.#run, done).catch(() => undefined)
  }

  /** Entries after `keep` were set aside: what they have consumed is to be taken again, by whoever owns the run. */
  replaced(keep: number): void {
    this.#consumed = this.#consumed.filter(({ seq }) => seq <= keep)
  }

  /** Brings items that wait at the edge for this device. Rejects with `unreachable`. */
  async pull(from: number): Promise<void> {
    const { edge, me, inbox } = this.#ports
    if (!edge) return
    const { inbox: items } = await edge.remote.pull(this.#run, from, me)
    for (const item of items) await inbox.put(this.#run, item)
  }

  /** Sends items that this device took while it owned the run after its new owner. Rejects with `unreachable`. */
  async forward(fold: Fold): Promise<void> {
    const { edge, inbox } = this.#ports
    if (!edge) return
    for (const item of await inbox.list(this.#run)) {
      try {
        if (!fold.consumed.has(item.id)) await edge.remote.send(this.#run, item)
      } catch (error) {
        if (!(error instanceof WaystoneError) || !undeliverable.includes(error.code)) throw error
      }
      await inbox.remove(this.#run, [item.id])
    }
  }
}
