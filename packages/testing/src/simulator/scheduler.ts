import { nextTask } from './next-task.ts'

/** A process, or what is killed and frozen like one: a tab, a worker, an object at the edge. */
export interface Realm {
  readonly name: string
  alive: boolean
  frozen: boolean
  /** What has come for it while it was frozen. */
  readonly parked: (() => void)[]
  /** What it has asked for and not been answered. */
  readonly pending: Set<string>
  /** What it asks for is not done any more. */
  torn: boolean
  /** When the newest thing of each line is due: what stands in one line keeps its order. */
  readonly lines: Map<string, number>
}

/** A thing that is due, until it is cancelled. */
export interface Due {
  cancelled: boolean
}

interface Event extends Due {
  readonly at: number
  readonly order: number
  readonly what: string
  readonly realm: Realm | undefined
  readonly work: () => void
}

export function newRealm(name: string): Realm {
  return {
    name,
    alive: true,
    frozen: false,
    parked: [],
    pending: new Set(),
    torn: false,
    lines: new Map(),
  }
}

/**
 * One thread, one queue, virtual time. An event is one task: what it sets off in promises is over before the next. What
 * is due at once in two realms comes in an order that their delays have thrown.
 */
export class Scheduler {
  /** Milliseconds since the simulation began. */
  now = 0
  /** How many events there were. */
  events = 0
  /** A digest of all that has happened: two runs of one seed have the same. */
  trace = 0x811c9dc5
  readonly #heap: Event[] = []
  #order = 0

  /** Calls `work` after a delay, unless its realm has died; while the realm is frozen it waits. */
  after(ms: number, what: string, realm: Realm | undefined, work: () => void): Due {
    this.#order += 1
    const event = { at: this.now + ms, order: this.#order, what, realm, work, cancelled: false }
    this.#push(event)
    return event
  }

  /** As `after`, but never before what was put into this line of the realm earlier. */
  inLine(line: string, ms: number, what: string, realm: Realm, work: () => void): Due {
    return this.after(this.#lineUp(line, ms, realm), what, realm, work)
  }

  /** As `inLine`, but it happens whatever became of the realm: what it has asked of others is on its way. */
  sentInLine(line: string, ms: number, what: string, realm: Realm, work: () => void): Due {
    return this.after(this.#lineUp(line, ms, realm), what, undefined, work)
  }

  #lineUp(line: string, ms: number, realm: Realm): number {
    const at = Math.max(this.now + ms, (realm.lines.get(line) ?? 0) + 0.000_1)
    realm.lines.set(line, at)
    return at - this.now
  }

  /** Lets the next event happen. Resolves after all that follows from it at once; undefined when none is due. */
  step(): Promise<void> | undefined {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return undefined
      if (event.cancelled || event.realm?.alive === false) continue
      this.now = Math.max(this.now, event.at)
      if (event.realm?.frozen) {
        event.realm.parked.push(event.work)
        continue
      }
      this.events += 1
      this.#note(event)
      event.work()
      return nextTask()
    }
  }

  /** Lets go on what was frozen, in the order in which it came. */
  thaw(realm: Realm): void {
    realm.frozen = false
    for (const work of realm.parked.splice(0)) this.inLine('thaw', 0, 'thaw', realm, work)
  }

  #note({ what, realm, at }: Event): void {
    let trace = this.trace
    for (const text of [what, realm?.name ?? '', at.toFixed(4)])
      for (let index = 0; index < text.length; index += 1)
        trace = Math.imul(trace ^ text.charCodeAt(index), 0x01000193)
    this.trace = trace >>> 0
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent] as Event)) break
      heap[at] = heap[parent] as Event
      at = parent
    }
    heap[at] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1
      if (!isBefore(heap[child] as Event, last)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
