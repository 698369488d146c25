import { WaystoneError, type ErrorCode } from '../errors.ts'
import type { OwnerId, RunId } from '../ids.ts'
import { isEnded, type Fold } from '../log/fold.ts'
import { putAll, type Inbox, type InboxItem } from '../ports/inbox.ts'
import type { Edge } from '../sync/syncer.ts'

/** What a courier works with. */
export interface CourierPorts {
  readonly me: OwnerId
  readonly inbox: Inbox
  readonly edge: Edge | undefined
  readonly fold: () => Fold | undefined
  /** The last entry that the edge acknowledged; -1 for none. */
  readonly synced: () => number
  /** An item as the owner of the run can open it. */
  readonly forOwner: (item: InboxItem) => Promise<InboxItem>
}

/** Nobody has a use for an item any more: others answered, or the run is over. */
const gone: readonly ErrorCode[] = ['answer_taken', 'ask_unknown', 'run_ended', 'run_deleted']
/** The edge will never take an item, whoever owns the run. It is there should the run come back. */
const refused: readonly ErrorCode[] = ['request_refused', 'too_large', 'forbidden']

/**
 * Sees to it that an inbox item reaches whoever owns its run, after those that were acknowledged here before it. An item stays
 * in the inbox here, also when the edge has it, until the entry that consumed it cannot be set aside any more: wherever the
 * run goes on, what this device has acknowledged is there, and in its order.
 */
export class InboxCourier {
  readonly #run: RunId
  readonly #ports: CourierPorts
  /** Consumed items by the entry that did it: while that can still be set aside, they are kept. */
  #consumed: readonly { readonly id: string; readonly seq: number }[] = []
  /** Items that the edge was given by this host, or will not take: they are not sent again. */
  readonly #sent = new Set<string>()
  /** Items that the edge has taken, and that could not be stored here yet. */
  #owed: readonly InboxItem[] = []
  /** The ids of what waited at the edge when it said so last, in its order. */
  #there: readonly string[] = []

  constructor(run: RunId, ports: CourierPorts) {
    this.#run = run
    this.#ports = ports
  }

  /** Entries up to `seq` have consumed these items: forgets them once the edge has those entries, if there is one. */
  consumed(ids: readonly string[], seq: number): void {
    // Found to be consumed again later, an item is still one of the entry that did it.
    const known = new Set(this.#consumed.map(({ id }) => id))
    const fresh = ids.filter((id) => !known.has(id)).map((id) => ({ id, seq }))
    this.#consumed = [...this.#consumed, ...fresh]
    this.synced()
  }

  /** True while nothing waits for the edge to acknowledge more, or for its place here. */
  get isIdle(): boolean {
    return this.#consumed.length === 0 && this.#owed.length === 0
  }

  /** The edge has acknowledged more. */
  synced(): void {
    const synced = this.#ports.edge ? this.#ports.synced() : Infinity
    const done = this.#consumed.filter(({ seq }) => seq <= synced).map(({ id }) => id)
    this.#consumed = this.#consumed.filter(({ seq }) => seq > synced)
    if (done.length > 0) this.#forget(done)
  }

  /** Entries after `keep` were set aside: what they have consumed is to be taken again, by whoever owns the run. */
  replaced(keep: number): void {
    this.#consumed = this.#consumed.filter(({ seq }) => seq <= keep)
    // An edge that went back may have lost them; sending again is harmless.
    this.#sent.clear()
  }

  /** Brings items that wait at the edge for this device. Rejects with `unreachable`. */
  async pull(from: number): Promise<void> {
    const { edge, me } = this.#ports
    if (edge) await this.take((await edge.remote.pull(this.#run, from, me)).inbox)
  }

  /** Stores what waits at the edge, in its order. */
  async take(items: readonly InboxItem[]): Promise<void> {
    if (items.length > 0) this.#there = items.map(({ id }) => id)
    await putAll(this.#ports.inbox, this.#run, items)
  }

  /**
   * The items here in the order in which they are to be taken: those that have come to the edge as they came there, since others have
   * sent some of them, too. What this device alone has stays behind what it had before that.
   */
  inOrder(items: readonly InboxItem[]): readonly InboxItem[] {
    const here = new Map(items.map((item) => [item.id, item]))
    const there = this.#there.filter((id) => here.has(id))
    const places = new Map(there.map((id, place) => [id, place]))
    let passed = 0
    return items.flatMap((item) => {
      const place = places.get(item.id)
      if (place === undefined) return [item]
      const upTo = there.slice(passed, place + 1)
      passed = Math.max(passed, place + 1)
      return upTo.flatMap((id) => here.get(id) ?? [])
    })
  }

  /**
   * Sends an item to the edge, for a run that another host owns. False when that has come here meanwhile: then it was not sent,
   * and its place is here, after those that are. When this gives true it has a place here, too. Rejects as the edge does; then
   * it has none.
   */
  async send(edge: Edge, item: InboxItem): Promise<boolean> {
    if (!(await this.forward())) return false
    await edge.remote.send(this.#run, item)
    this.#sent.add(item.id)
    this.#owed = [...this.#owed, item]
    // Where it cannot be stored here it is at the edge, at least.
    await this.settle().catch(() => undefined)
    this.#tidy([item])
    return true
  }

  /** Gives what was sent to the edge its place here, before anything else is put here. Rejects as the inbox does. */
  async settle(): Promise<void> {
    for (let item = this.#owed[0]; item !== undefined; item = this.#owed[0]) {
      const { id } = item
      await this.#ports.inbox.put(this.#run, item)
      this.#owed = this.#owed.filter((one) => one.id !== id)
    }
  }

  /**
   * Sends what this device has acknowledged after a run that has moved on. False when it is here, or has come here meanwhile.
   * Rejects when the edge cannot take it now.
   */
  async forward(): Promise<boolean> {
    const { edge, inbox } = this.#ports
    if (!edge || !this.#isAway) return false
    for (const item of this.#tidy(await inbox.list(this.#run))) {
      // It has come back meanwhile: everything is here.
      if (!this.#isAway) return false
      if (this.#sent.has(item.id)) continue
      try {
        await edge.remote.send(this.#run, await this.#ports.forOwner(item))
      } catch (error) {
        if (!isFinal(error)) throw error
        if (gone.includes(error.code)) {
          this.#forget([item.id])
          continue
        }
      }
      this.#sent.add(item.id)
    }
    return this.#isAway
  }

  /** True while another host owns the run. */
  get #isAway(): boolean {
    const fold = this.#ports.fold()
    return fold !== undefined && fold.owner !== this.#ports.me
  }

  /** Those of the items that wait: what was consumed, and what a run did not read that has ended elsewhere, is forgotten. */
  #tidy(items: readonly InboxItem[]): readonly InboxItem[] {
    const fold = this.#ports.fold()
    if (fold === undefined) return items
    const isOver = isEnded(fold) && this.#isAway
    const used = items.filter(({ id }) => isOver || fold.consumed.has(id))
    if (used.length === 0) return items
    this.consumed(
      used.map(({ id }) => id),
      fold.head.seq,
    )
    return items.filter((item) => !used.includes(item))
  }

  /** What cannot be forgotten now is found to be consumed when the inbox is read again. */
  #forget(ids: readonly string[]): void {
    for (const id of ids) this.#sent.delete(id)
    void this.#ports.inbox.remove(this.#run, ids).catch(() => undefined)
  }
}

function isFinal(error: unknown): error is WaystoneError {
  return error instanceof WaystoneError && [...gone, ...refused].includes(error.code)
}
