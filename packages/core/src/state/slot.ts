import { WaystoneError } from '../errors.ts'
import { copyObject, type CopyWalk } from './copy.ts'
import { isObject, kindOf, put, type Kind } from './value.ts'
import { guarded, startWalk } from './walk.ts'

/** What all drafts of one `createDraft` share. */
export interface Scope {
  /** From a draft, a leaf's copy or an object that the user assigned to its slot. */
  readonly known: WeakMap<object, Slot>
  readonly guard: (() => void) | undefined
  readonly draftOf: (slot: Slot) => object
  /** Slots of which the user has a copy that no guard watches. */
  readonly leaves: Slot[]
  finished: boolean
}

/**
 * The place of one object in a draft. The tree of a draft holds slots instead of drafts, so that an object
 * met there that is no slot is known to be the base's own, untouched: the user cannot put one there.
 */
export class Slot {
  readonly scope: Scope
  /** The object this place began with, never changed: the base's, or one that the user assigned. */
  readonly origin: object
  /**
   * Containers around `origin` in the base; -1 when the user assigned it, and it is copied wherever it ends
   * up.
   */
  readonly depth: number
  readonly kind: Kind | undefined
  /**
   * Of a plain object or array, from the first write or the first child on: a shallow copy that holds slots.
   */
  copy: object | undefined
  /** How many items at the beginning of an array's copy are the origin's: no slots, never written to. */
  same = 0
  /** What the user sees: a draft, or of a leaf a copy of its own, which is compared by value at the end. */
  seen: object | undefined

  constructor(scope: Scope, origin: object, depth: number) {
    this.scope = scope
    this.origin = origin
    this.depth = depth
    this.kind = kindOf(origin)
  }
}

export type Fields = Record<PropertyKey, unknown>

/** The properties as they are now. To be read only. */
export function fieldsOf(slot: Slot): Fields {
  return (slot.copy ?? slot.origin) as Fields
}

/**
 * The properties to write to: in an array at no index below `from`. Throws `state_locked` after the end, and whatever
 * the guard throws.
 */
export function writable(slot: Slot, from = 0): Fields {
  checkWritable(slot)
  return owned(slot, from)
}

/** Adds items at the end of an array; a list of the base is copied once, with them. Throws as `writable` does. */
export function append(slot: Slot, items: readonly unknown[]): void {
  checkWritable(slot)
  if (slot.copy === undefined && slot.depth >= 0) {
    const origin = slot.origin as readonly unknown[]
    slot.copy = origin.concat(items)
    slot.same = origin.length
  } else {
    const list = owned(slot, Infinity) as unknown as unknown[]
    for (const item of items) list.push(item)
  }
}

function checkWritable({ scope: { finished, guard } }: Slot): void {
  if (finished) {
    throw new WaystoneError('state_locked', 'this draft is finished: what is written to it now would be lost')
  }
  guard?.()
}

/** What the user sees of the object at this place; the same one every time. */
export function show(slot: Slot): object {
  if (slot.seen) return slot.seen
  const { scope, origin, kind } = slot
  if (kind === 'object' || kind === 'array') slot.seen = scope.draftOf(slot)
  // What no state may hold is refused at the end: it may be gone by then.
  else {
    slot.seen = kind ? detached(origin, undefined) : origin
    scope.leaves.push(slot)
  }
  scope.known.set(slot.seen, slot)
  return slot.seen
}

/** What the user sees of something that is, or was, among the properties of `slot`. */
export function reveal(slot: Slot, value: unknown): unknown {
  if (!isObject(value)) return value
  if (value instanceof Slot) return show(value)
  const { scope, depth } = slot
  // After the end a slot's copy is part of the result and holds no slots.
  return show(depth < 0 || scope.finished ? slotFor(scope, value) : new Slot(scope, value, depth + 1))
}

/**
 * What the user sees at `key`. An object of the base gets its slot, which stays with the object when it
 * moves.
 */
export function read(slot: Slot, key: PropertyKey): unknown {
  const fields = fieldsOf(slot)
  const value = fields[key]
  if (!isObject(value) || !Object.hasOwn(fields, key)) return value
  const seen = reveal(slot, value)
  if (!(value instanceof Slot) && slot.depth >= 0 && !slot.scope.finished)
    put(owned(slot, Number(key)), key, slot.scope.known.get(seen as object))
  return seen
}

/** What a value that the user assigns is among the properties: objects become slots. */
export function held(scope: Scope, value: unknown): unknown {
  return isObject(value) ? slotFor(scope, value) : value
}

function slotFor(scope: Scope, value: object): Slot {
  const slot = scope.known.get(value) ?? new Slot(scope, value, -1)
  scope.known.set(value, slot)
  return slot
}

function owned(slot: Slot, from: number): Fields {
  const { origin, kind, depth } = slot
  // What the user assigned may be odd (accessors, extra properties): a plain copy would drop that silently.
  if (depth < 0) slot.copy ??= detached(origin, (child) => child)
  if (slot.copy === undefined && kind === 'array') {
    slot.copy = (origin as readonly unknown[]).slice()
    slot.same = (origin as readonly unknown[]).length
  }
  slot.copy ??= { ...origin }
  // Not a number for a name in an object, which has no beginning.
  if (!(from >= slot.same)) slot.same = from >= 0 ? from : 0
  return slot.copy as Fields
}

function detached(origin: object, adopt: CopyWalk['adopt']): object {
  const walk: CopyWalk = { ...startWalk('value'), encode: false, adopt }
  return guarded(walk, () => copyObject(origin, walk))
}
