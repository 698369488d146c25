import { beginsLike } from './alike.ts'
import { copy, copyObject, type CopyWalk } from './copy.ts'
import { makeDraft } from './draft-proxy.ts'
import { sameValue } from './equal.ts'
import { type Fields, type Scope, show, Slot } from './slot.ts'
import { holesMax, isObject, put } from './value.ts'
import { enter, guarded, leave, refuse, startWalk } from './walk.ts'

/** A draft of a state, and its end. */
export interface Draft<T> {
  /** Reads and writes as `base` would; `base` stays as it is. */
  readonly draft: T
  /**
   * The state that was written: new where something changed, `base`'s own objects everywhere else, `base`
   * itself when nothing did. Nobody outside holds a reference to anything new in it. `next`, when given,
   * becomes the state instead of the draft; it may hold drafts. Throws `value_refused`, its path beginning
   * with `state`, and leaves the draft open. From then on the draft can only be read, and `finish` returns
   * the same again.
   */
  readonly finish: (next?: T) => T
  /** A plain deep copy of a draft, or of anything that holds drafts, as it stands. Throws `value_refused`. */
  readonly current: <U>(value: U) => U
  /**
   * Takes copies of what no guard watches: Date, Map, Set, bytes and the like. The function that it returns says of what
   * kind the first is that holds something else now; undefined for none.
   */
  readonly watchLeaves: () => () => string | undefined
}

/** What `createDraft` can be told. */
export interface DraftOptions {
  /** Called before every write to a plain object or an array; what it throws reaches whoever writes. */
  readonly guard?: () => void
}

/**
 * A draft of `base`, which must never change: the result shares with it what was not touched. Plain objects
 * and arrays are drafted when they are first read; all others that can change in place (Date, Map, Set, bytes, RegExp, URL,
 * Error, instances) are handed out as copies, which no guard watches, and compared by value at the end. What the user
 * assigns is read where it stands until it is first written to through the draft (the others: first read); from then on
 * only the draft counts.
 *
 * ```ts
 * const { draft, finish } = createDraft({ notes: ['a'] })
 * draft.notes.push('b')
 * const next = finish() // { notes: ['a', 'b'] }
 * ```
 */
export function createDraft<T>(base: T, options: DraftOptions = {}): Draft<T> {
  const known = new WeakMap<object, Slot>()
  const scope: Scope = {
    known,
    guard: options.guard,
    draftOf: makeDraft,
    leaves: [],
    finished: false,
  }
  const draft = isObject(base) ? (show(new Slot(scope, base, 0)) as T) : base

  function settled<U>(value: U, where: string, fresh: boolean): U {
    const walk: SettleWalk = { ...startWalk(where), encode: false, fresh, adopt, taken: new Set(), undo: [] }
    function adopt(value: object | string): unknown {
      const slot = isObject(value) ? known.get(value) : undefined
      return slot && settle(slot, walk)
    }
    try {
      return guarded(walk, () => copy(value, walk)) as U
    } catch (error) {
      for (const [taken, key, held] of walk.undo) put(taken, key, held)
      throw error
    }
  }

  let result: T
  return {
    draft,
    finish(next = draft) {
      if (!scope.finished) {
        result = settled(next, 'state', false)
        scope.finished = true
      }
      return result
    },
    current: (value) => settled(value, 'value', true),
    watchLeaves: () => watchLeaves(scope.leaves),
  }
}

function watchLeaves(leaves: readonly Slot[]): () => string | undefined {
  const walk: CopyWalk = { ...startWalk('value'), encode: false, adopt: undefined }
  const before = leaves.map(({ seen }) => seen && copyObject(seen, walk))
  const isSame = ({ seen, origin }: Slot, at: number): boolean =>
    sameValue(seen, at < before.length ? before[at] : origin)
  return () => leaves.find((slot, at) => !isSame(slot, at))?.kind
}

interface SettleWalk extends CopyWalk {
  /** Copies also what did not change. */
  readonly fresh: boolean
  /** Copies of slots that became part of the result: a list of 10,000 items is copied once, by its draft. */
  readonly taken: Set<object>
  /** What stood in them, for when the result is refused. */
  readonly undo: [taken: object, key: PropertyKey, held: unknown][]
}

/** What stands in a slot at the end, as a value that holds no drafts. */
function settle(slot: Slot, walk: SettleWalk): object {
  const { origin, depth, kind, seen, copy } = slot
  if (kind !== 'object' && kind !== 'array') {
    const unchanged = depth >= 0 && (!seen || sameValue(seen, origin))
    return unchanged ? kept(origin, depth, walk) : copyObject(seen ?? origin, walk)
  }
  if (!copy) return depth < 0 ? copyObject(origin, walk) : kept(origin, depth, walk)
  const at = enter(walk, copy)
  // What stands at two places is two values: only the first takes the draft's own copy.
  const take = !walk.fresh && !walk.taken.has(copy)
  const out = take ? copy : kind === 'array' ? (copy as unknown[]).slice() : { ...copy }
  if (take) walk.taken.add(copy)
  settleFields(slot, out as Fields, at, walk)
  leave(walk)
  const unchanged = !walk.fresh && depth >= walk.parents.length && sameValue(out, origin)
  return unchanged ? origin : out
}

function settleFields(slot: Slot, out: Fields, at: number, walk: SettleWalk): void {
  const { kind, origin, depth } = slot
  const settleAt = (key: string | number, value: unknown): void => {
    walk.keys[at] = key
    const settled = settleField(slot, value, walk)
    if (settled === value) return
    if (walk.taken.has(out)) walk.undo.push([out, key, value])
    put(out, key, settled)
  }
  if (kind !== 'array') {
    for (const key of Object.keys(out)) settleAt(key, out[key])
    return
  }
  const items = out as unknown as readonly unknown[]
  // Items that are still where the base had them need no look.
  const isInPlace = !walk.fresh && depth >= 0 && walk.parents.length <= depth + 1
  const before = isInPlace ? (origin as readonly unknown[]) : []
  const same = isInPlace ? slot.same : 0
  if (isInPlace) beginsLike(out, origin, same)
  let hasHoles = false
  for (let i = same; i < items.length; i++) {
    const item = items[i]
    if (item !== undefined && i < before.length && item === before[i]) continue
    if (item !== undefined || i in items) settleAt(i, item)
    else if (!hasHoles) hasHoles = refuseManyHoles(items, at, walk)
  }
}

/** At the first hole of a list: its length may be anything, and is walked. */
function refuseManyHoles(items: readonly unknown[], at: number, walk: SettleWalk): true {
  const holes = items.length - Object.keys(items).length
  walk.keys[at] = items.length - 1
  if (holes > holesMax) refuse(walk, `ends an array of ${String(holes)} holes: keep a Map or an object`)
  return true
}

function settleField(slot: Slot, value: unknown, walk: SettleWalk): unknown {
  if (value instanceof Slot) return settle(value, walk)
  return isObject(value) && slot.depth >= 0 ? kept(value, slot.depth + 1, walk) : copy(value, walk)
}

/**
 * An object of the base as it is, unless it went deeper: then it is copied, which checks how deep it now is.
 */
function kept(origin: object, depth: number, walk: SettleWalk): object {
  if (!walk.fresh && walk.parents.length <= depth) return origin
  // The user may have assigned this very object elsewhere and changed it there: what is known of it is not
  // meant here.
  const { adopt } = walk
  walk.adopt = undefined
  const out = copyObject(origin, walk)
  walk.adopt = adopt
  return out
}
