import { WaystoneError } from '../errors.ts'
import { valueLevelsMax } from './value.ts'

/** Where a walk through a value stands. `keys[i]` is the position reached in `parents[i]`. */
export interface Walk {
  /** The name of the root in messages and paths: `state`. */
  readonly where: string
  /** Containers around the root, which count as levels. */
  readonly levels: number
  readonly parents: object[]
  /** Of a Set the index; of a Map twice the index, and one more for the value. */
  readonly keys: PropertyKey[]
}

/** A walk that stands at its root. */
export function startWalk(where: string, levels = 0): Walk {
  return { where, levels, parents: [], keys: [] }
}

/** Goes into a container. Throws `value_refused` when the walk is inside of it already or too deep. */
export function enter(walk: Walk, container: object): number {
  if (walk.parents.includes(container)) refuse(walk, 'contains itself: a state is a tree')
  if (walk.parents.length + walk.levels >= valueLevelsMax) {
    refuse(walk, `is nested deeper than ${valueLevelsMax} levels`)
  }
  walk.keys.push(0)
  return walk.parents.push(container) - 1
}

/** Leaves the container that was entered last. */
export function leave(walk: Walk): void {
  walk.parents.pop()
  walk.keys.pop()
}

/** Throws `value_refused` for the place where the walk stands; `details.path` is its path. */
export function refuse(walk: Walk, why: string, cause?: unknown): never {
  const path = walk.parents.reduce(
    (path: string, parent, i) => path + segment(parent, walk.keys[i]),
    walk.where,
  )
  throw new WaystoneError('value_refused', `${path} ${why}`, { cause, details: { path } })
}

/**
 * Runs a walk. What a value itself throws (a revoked proxy, a false Date) becomes `value_refused` with its
 * cause.
 */
export function guarded<T>(walk: Walk, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof WaystoneError && cause.details) throw cause
    return refuse(walk, 'cannot be read', cause)
  }
}

function segment(parent: object, key: PropertyKey | undefined): string {
  if (typeof key === 'number') {
    if (parent instanceof Map) return mapSegment(parent, key)
    return parent instanceof Set ? `.item(${key})` : `[${key}]`
  }
  if (typeof key === 'symbol') return `[${String(key)}]`
  return key !== undefined && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `.${key}`
    : `[${JSON.stringify(key)}]`
}

function mapSegment(map: ReadonlyMap<unknown, unknown>, position: number): string {
  const index = position >> 1
  if (position % 2 === 0) return `.key(${index})`
  const key = [...map.keys()][index]
  if (typeof key === 'string') return `.get(${JSON.stringify(key)})`
  return typeof key === 'number' ? `.get(${key})` : `.value(${index})`
}
