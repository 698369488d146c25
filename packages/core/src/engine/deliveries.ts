import { lostScopes, type TurnRecord } from '../log/fold.ts'
import { pathOf } from './call.ts'

/** The records of a turn on their way to the calls they belong to: in log order, each when its call was made. */
export class Deliveries {
  readonly #queue: TurnRecord[] = []
  /** Those that were passed over, and whose paths have been called since: in log order, before all others. */
  readonly #again: TurnRecord[] = []
  /** Where each stands in the log. */
  readonly #places = new Map<TurnRecord, number>()
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
    return this.#again[0] ?? this.#queue[this.#at]
  }

  add(record: TurnRecord): void {
    this.#places.set(record, this.#queue.push(record))
    this.#count(pathOf(record), 1)
    this.#lost.push(...lostScopes(record))
  }

  /** The next record was dealt with. */
  advance(): void {
    const record = this.next
    if (record) this.#count(pathOf(record), -1)
    if (this.#again.shift() === undefined) this.#at += 1
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
    this.#again.push(...late)
    this.#again.sort((one, other) => (this.#places.get(one) ?? 0) - (this.#places.get(other) ?? 0))
    this.#count(path, late.length)
    return true
  }

  #count(path: string, change: number): void {
    this.#coming.set(path, (this.#coming.get(path) ?? 0) + change)
  }
}
