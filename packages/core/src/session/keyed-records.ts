import { WaystoneError } from '../errors.ts'
import { keyAt, notesIn, type KeyIndex, type KeyNote, type KeyRange } from '../log/key-index.ts'
import { cloneValue } from '../state/codec.ts'
import { parseCount, parseKey } from './options.ts'
import type { Values } from './values.ts'

/** Which records, in the order of the UTF-16 code units of their keys. */
export interface RangeOptions {
  /** Keys that begin so; instead of `from` and `to`. */
  readonly prefix?: string
  /** The first key. */
  readonly from?: string
  /** The key that the last one is before. */
  readonly to?: string
  /** At most so many. Default: all. */
  readonly limit?: number
  /** The last ones first. */
  readonly reverse?: boolean
}

/** A record. Its value belongs to the caller. */
export interface KeyedRecord {
  readonly key: string
  readonly value: unknown
}

/** Keyed records as they are, or were, at one moment: what is put meanwhile is not among them. */
export class KeyedRecords {
  readonly #index: KeyIndex
  readonly #values: Values

  constructor(index: KeyIndex, values: Values) {
    this.#index = index
    this.#values = values
  }

  /**
   * The value of a key, which the caller owns; undefined when it has none. Rejects with `checkpoint_gone` for one that was
   * let go, `unreachable` for one that is only at the edge, `blob_missing`, `log_damaged`.
   */
  async get(key: string): Promise<unknown> {
    const note = keyAt(this.#index, parseKey(key))
    return note && this.#value(note)
  }

  /** True when a key has a value. Reads nothing. */
  has(key: string): boolean {
    return keyAt(this.#index, parseKey(key)) !== undefined
  }

  /** The keys of a range. Reads nothing. Throws `input_refused`. */
  *keys(options: RangeOptions = {}): Generator<string, void> {
    for (const [key] of this.#notes(options)) yield key
  }

  /** The records of a range; each value is read when it is its turn. Rejects as `get` does, and with `input_refused`. */
  async *range(options: RangeOptions = {}): AsyncGenerator<KeyedRecord, void> {
    for (const note of this.#notes(options)) yield { key: note[0], value: await this.#value(note) }
  }

  *#notes(options: RangeOptions): Generator<KeyNote, void> {
    const limit = parseCount('limit', options.limit ?? Infinity, Infinity)
    let count = 0
    if (limit === 0) return
    for (const note of notesIn(this.#index, rangeOf(options))) {
      yield note
      count += 1
      if (count >= limit) return
    }
  }

  async #value([key, seq]: KeyNote): Promise<unknown> {
    return cloneValue(await this.#values.read({ key, seq }))
  }
}

function rangeOf({ prefix, from, to, reverse = false }: RangeOptions): KeyRange {
  if (prefix === undefined)
    return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }), reverse }
  if (from !== undefined || to !== undefined)
    throw new WaystoneError('input_refused', 'a range is given by `prefix`, or by `from` and `to`')
  const end = afterPrefix(prefix)
  return { from: prefix, ...(end === undefined ? {} : { to: end }), reverse }
}

/** The first text after all that begin so; undefined when there is none. */
function afterPrefix(prefix: string): string | undefined {
  for (let length = prefix.length; length > 0; length -= 1) {
    const unit = prefix.charCodeAt(length - 1)
    if (unit < 0xffff) return prefix.slice(0, length - 1) + String.fromCharCode(unit + 1)
  }
  return undefined
}
