import { WaystoneError } from '../errors.ts'
import { ownMember } from './own-member.ts'

/**
 * A Map or Set while changes apply to it: a list of its items, of a Map its values. Only when all are applied is it one
 * again, since on the way there the same key or item may stand in it twice.
 */
export class Members {
  readonly items: unknown[]
  /** Of a Map. */
  readonly keys: unknown[] | undefined

  constructor(from: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>) {
    this.items = [...from.values()]
    this.keys = from instanceof Map ? [...from.keys()] : undefined
  }

  /** Replaces `count` members from `index` on. */
  splice(index: number, count: number, members: readonly unknown[]): void {
    const part = (at: 0 | 1): readonly unknown[] => members.map((entry) => (entry as readonly unknown[])[at])
    spliceInto(this.items, index, count, this.keys ? part(1) : members)
    if (this.keys) spliceInto(this.keys, index, count, part(0))
  }

  /** The Map or Set. Throws `delta_refused` when a key or item stands in it twice. */
  finish(): object {
    const { keys } = this
    const items = this.items.map((item) => (item instanceof Members ? item.finish() : item))
    const made = keys ? mapOf(keys, items) : setOf(items)
    if (made.size === items.length) return made
    const what = keys ? 'a Map has a key' : 'a Set has an item'
    throw new WaystoneError('delta_refused', `a delta does not fit: afterwards ${what} twice`)
  }
}

function mapOf(keys: readonly unknown[], items: readonly unknown[]): Map<unknown, unknown> {
  const made = new Map<unknown, unknown>()
  for (const [i, key] of keys.entries()) made.set(ownMember(made, key), items[i])
  return made
}

function setOf(items: readonly unknown[]): Set<unknown> {
  const made = new Set<unknown>()
  for (const item of items) made.add(ownMember(made, item))
  return made
}

/** `splice` of a list without holes, for more items than a call can have arguments. */
function spliceInto(list: unknown[], index: number, count: number, items: readonly unknown[]): void {
  const rest = list.splice(index).slice(count)
  for (const part of [items, rest]) for (const item of part) list.push(item)
}
