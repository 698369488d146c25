import { isWaystoneError } from '../errors.ts'
import { isDamage } from '../log/damage.ts'
import type { Json } from '../json.ts'
import { limits } from '../limits.ts'
import type { KeyChange, ValueAt } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import type { Fold } from '../log/fold.ts'
import { depthOf, keyAt } from '../log/key-index.ts'
import { decodeValue, encodeValue, type Value } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import { weigh } from '../state/weigh.ts'
import { parseKey } from './options.ts'
import type { Values } from './values.ts'
import type { Writing } from './session-host.ts'

/** One change of keyed records. */
export type RecordChange =
  | {
      readonly key: string
      readonly value: unknown
      /** A key whose current value is nearly this one: then only what differs is stored. */
      readonly like?: string
    }
  | { readonly key: string; readonly delete: true }

/** A change whose value was read, and is the caller's no more; it has about so many characters. */
type Wanted = Exclude<KeyChange, { readonly delta: unknown }> & {
  readonly near?: string
  readonly chars: number
}

interface Waiting {
  readonly changes: readonly Wanted[]
  readonly chars: number
  resolve(): void
  reject(error: unknown): void
}

/** What the queue works with. */
export interface PutPorts {
  readonly by: string
  values(): Values
  write(plan: (fold: Fold) => Promise<Writing>): Promise<readonly Entry[]>
}

/** Puts keyed records in the order of the calls: those that wait while one is stored share an entry. */
export class PutQueue {
  readonly #ports: PutPorts
  readonly #waiting: Waiting[] = []
  #working: Promise<void> | undefined

  constructor(ports: PutPorts) {
    this.#ports = ports
  }

  /** Reads the values at once. Resolves when all of the changes are durable. */
  put(changes: Iterable<RecordChange>): Promise<void> {
    const wanted = Array.from(changes, wantedOf)
    if (wanted.length === 0) return Promise.resolve()
    const chars = wanted.reduce((sum, change) => sum + change.chars, 0)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes: wanted, chars, resolve, reject })
      this.#working ??= this.#work()
    })
  }

  /** Resolves when nothing waits. */
  async settle(): Promise<void> {
    await this.#working
  }

  async #work(): Promise<void> {
    // Those that are called in one task go together.
    await Promise.resolve()
    for (let group = this.#next(); group.length > 0; group = this.#next()) {
      try {
        await this.#store(group.flatMap(({ changes }) => changes))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    // At once: what is put from here on begins anew.
    this.#working = undefined
  }

  /** Those that fit into one entry; none is like what another one of them puts. */
  #next(): readonly Waiting[] {
    const group: Waiting[] = []
    const keys = new Set<string>()
    let chars = 0
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const isLikeOne = next.changes.some(({ near }) => near !== undefined && keys.has(near))
      if (group.length > 0 && (isLikeOne || chars + next.chars > limits.groupBytesMax)) break
      group.push(next)
      chars += next.chars
      for (const { key } of next.changes) keys.add(key)
      this.#waiting.shift()
    }
    return group
  }

  async #store(wanted: readonly Wanted[]): Promise<void> {
    const { by } = this.#ports
    const told = new Map<Wanted, Value>()
    const [entry] = await this.#ports.write(async (fold) => {
      const changes: KeyChange[] = []
      for (const change of wanted) changes.push(await this.#changeOf(change, fold, told))
      const likes = changes.flatMap((change) => ('like' in change ? [change.like] : []))
      return {
        drafts: [{ kind: 'put', body: { by, changes } }],
        fits: ({ keys }) => likes.every(({ key, seq }) => keyAt(keys, key)?.[1] === seq),
      }
    })
    // The next one is probably like these.
    for (const [change, value] of told) {
      const { key } = change
      if (entry && wanted.findLast((one) => one.key === key) === change)
        this.#ports.values().hold({ key, seq: entry.seq }, value)
    }
  }

  /** Tells a value as what changed since the one it is like, when that is shorter. */
  async #changeOf(wanted: Wanted, fold: Fold, told: Map<Wanted, Value>): Promise<KeyChange> {
    const { near, chars, ...change } = wanted
    const note = near === undefined || !('value' in change) ? undefined : keyAt(fold.keys, near)
    if (note === undefined || near === undefined || !('value' in change)) return change
    const value = told.get(wanted) ?? decodeValue(change.value)
    told.set(wanted, value)
    if (depthOf(note) >= limits.likeDepthMax) return change
    const like = { key: near, seq: note[1] }
    const base = await this.#base(like)
    if (base === undefined) return change
    const delta = diff(base.value, value) as unknown as Json
    return JSON.stringify(delta).length + near.length < chars ? { key: change.key, delta, like } : change
  }

  /** Undefined when it cannot be had: then the value is told whole. */
  async #base(like: ValueAt): Promise<{ readonly value: Value } | undefined> {
    try {
      return { value: await this.#ports.values().read(like) }
    } catch (error) {
      const isAway = isWaystoneError(error, 'checkpoint_gone') || isWaystoneError(error, 'unreachable')
      if (isAway || isDamage(error)) return undefined
      throw error
    }
  }
}

function wantedOf(change: RecordChange): Wanted {
  const key = parseKey(change.key)
  if ('delete' in change) return { key, gone: true, chars: key.length }
  const value = encodeValue(change.value, { where: `value of ${JSON.stringify(key)}` })
  if (change.like === undefined) return { key, value, chars: weigh(value, limits.groupBytesMax) }
  return { key, value, chars: JSON.stringify(value).length, near: parseKey(change.like) }
}
