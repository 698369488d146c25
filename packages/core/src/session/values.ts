import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import { limits } from '../limits.ts'
import type { KeyChange, ValueAt } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import { decodeValue, type Value } from '../state/codec.ts'
import { applyDelta, parseDelta } from '../state/delta.ts'
import { weigh } from '../state/weigh.ts'

/** What is held of values that were read or put, in characters about, and in numbers. */
const heldCharsMax = 4_000_000
const heldMax = 256
/** Entries that are held: many values may stand in one. */
const entriesMax = 8

/** Reads keyed values from the entries that put them. */
export class Values {
  readonly #run: RunId
  readonly #entryAt: (seq: number) => Promise<Entry>
  readonly #entries = new Map<number, Promise<Entry>>()
  readonly #held = new Map<string, { readonly value: Value; readonly chars: number }>()
  #heldChars = 0
  #isRetired = false

  constructor(run: RunId, entryAt: (seq: number) => Promise<Entry>) {
    this.#run = run
    this.#entryAt = entryAt
  }

  /**
   * What entry `seq` put under a key. Shared with whoever reads it: it must not be changed. Rejects with
   * `checkpoint_gone`, `unreachable`, `blob_missing`, `log_damaged`.
   */
  async read(at: ValueAt): Promise<Value> {
    const deltas: { readonly at: ValueAt; readonly delta: Json }[] = []
    let value: Value
    for (let next = at; ;) {
      const held = this.#held.get(nameOf(next))
      const change = held ?? (await this.change(next))
      if ('value' in change) {
        value = held ? held.value : decodeValue(change.value as Json)
        this.hold(next, value)
        break
      }
      deltas.push({ at: next, delta: change.delta })
      next = change.like
      if (deltas.length > limits.likeDepthMax) throw this.#damaged(at)
    }
    for (const one of deltas.toReversed()) {
      value = applyDelta(value, parseDelta(one.delta))
      this.hold(one.at, value)
    }
    return value
  }

  /** The entries are others from now on: reads that are under way reject with `head_moved`. */
  retire(): void {
    this.#isRetired = true
  }

  /** How a value is stored. */
  async change(at: ValueAt): Promise<Exclude<KeyChange, { readonly gone: true }>> {
    const entry = await this.#entry(at.seq).catch((error: unknown) => {
      throw this.#isRetired ? this.#replaced() : error
    })
    if (this.#isRetired) throw this.#replaced()
    const change = entry.kind === 'put' && entry.body.changes.findLast(({ key }) => key === at.key)
    if (!change || 'gone' in change) throw this.#damaged(at)
    return change
  }

  /** Holds a value that is likely to be asked for; it must never change. */
  hold(at: ValueAt, value: Value): void {
    const chars = weigh(value, heldCharsMax)
    if (chars > heldCharsMax / 2) return
    this.#forget(nameOf(at))
    this.#held.set(nameOf(at), { value, chars })
    this.#heldChars += chars
    for (const name of this.#held.keys()) {
      if (this.#held.size <= heldMax && this.#heldChars <= heldCharsMax) break
      this.#forget(name)
    }
  }

  #forget(name: string): void {
    this.#heldChars -= this.#held.get(name)?.chars ?? 0
    this.#held.delete(name)
  }

  #entry(seq: number): Promise<Entry> {
    const known = this.#entries.get(seq)
    if (known) return known
    const reading = this.#entryAt(seq)
    this.#entries.set(seq, reading)
    reading.catch(() => this.#entries.delete(seq))
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= entriesMax) break
      this.#entries.delete(oldest)
    }
    return reading
  }

  #replaced(): WaystoneError {
    return new WaystoneError(
      'head_moved',
      `entries of session ${this.#run} were set aside while they were read: read again`,
      { run: this.#run, actions: ['retry'] },
    )
  }

  #damaged({ key, seq }: ValueAt): WaystoneError {
    return new WaystoneError(
      'log_damaged',
      `entry ${String(seq)} of session ${this.#run} does not have the value of key ${JSON.stringify(key)} that it is said to have`,
      { run: this.#run, actions: ['reload'] },
    )
  }
}

function nameOf({ key, seq }: ValueAt): string {
  return `${String(seq)} ${key}`
}
