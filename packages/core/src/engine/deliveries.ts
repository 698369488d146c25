import { lostScopes, type TurnRecord } from '../log/fold.ts'
import { pathOf } from './call.ts'

/** The records of a turn on their way to the calls they belong to: in log order, each when its call was made. */
export class Deliveries {
  readonly #queue: TurnRecord[] = []
  /** Records that were passed over, by the path that has not called for them. */
  readonly #late = new Map<string, TurnRecord[]>()
  /** How many records in the queue each path still has to come. */
  readonly #coming = new Map<string, number>()
  readonly #lost: string[] = []
  #at = 0

  constructor(records: readonly TurnRecord[]) {
    for (const record of records) this.add(record)
  }

  /** The record that is delivered next. */
  get next(): TurnRecord | undefined {
    return this.#queue[this.#at]
  }

  add(record: TurnRecord): void {
    this.#queue.push(record)
    this.#count(pathOf(record), 1)
    this.#lost.push(...lostScopes(record))
  }

  /** The next record was dealt with. */
  advance(): void {
    const record = this.next
    if (record) this.#count(pathOf(record), -1)
    this.#at += 1
  }

  /** True when more records of this path follow in the queue. */
  hasMore(path: string): boolean {
    return (this.#coming.get(path) ?? 0) > 0
  }

  /** True for a record that replay does not insist on: it lies after one that runs again, or in a branch that lost. */
  isOptional(record: TurnRecord): boolean {
    const path = pathOf(record)
    return record.inert || this.#lost.some((scope) => path.startsWith(scope))
  }

  /** Puts the next record aside until its path is called. */
  passOver(record: TurnRecord): void {
    const path = pathOf(record)
    this.advance()
    this.#late.set(path, [...(this.#late.get(path) ?? []), record])
  }

  /** A path was called: what was passed over for it comes next. True when there was something. */
  called(path: string): boolean {
    const late = this.#late.get(path)
    if (late === undefined) return false
    this.#late.delete(path)
    this.#queue.splice(this.#at, 0, ...late)
    this.#count(path, late.length)
    return true
  }

  #count(path: string, change: number): void {
    this.#coming.set(path, (this.#coming.get(path) ?? 0) + change)
  }
}
