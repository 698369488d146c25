import {
  headOfLine,
  WaystoneError,
  type Append,
  type Appended,
  type Digest,
  type RunId,
  type RunStorage,
} from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { LogMirror, type Seen } from './log-mirror.ts'
import type { Realm } from './scheduler.ts'
import type { SimWorld } from './sim-world.ts'

/** One change that was made to a disk, so that it can be made again on another one. */
interface Change {
  readonly port: keyof RunStorage
  readonly method: string
  readonly args: readonly unknown[]
  /** True for what survives a power loss. */
  readonly strict: boolean
}

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>

const changing = new Set(['append', 'compact', 'put', 'share', 'remove', 'drop'])

const formatChars = '{"format":1'.length

/** How long one request to the storage of a device takes, in ms. */
const latency = { from: 0.2, to: 2 } as const

/** What outlives the processes that work on it: storage in memory, whose requests take time and can be torn off or fail. */
export class SimDisk {
  readonly name: string
  /** Told of every entry that was stored. */
  onAdded: (mirror: LogMirror, added: readonly Seen[]) => void = () => undefined
  /** The next requests fail with this. */
  fails: { readonly code: 'storage_failed' | 'storage_full'; left: number } | undefined
  readonly #world: SimWorld
  readonly #mirrors = new Map<RunId, LogMirror>()
  /** What stores have said that they have. */
  readonly #acknowledged = new Map<RunId, Map<Digest, number>>()
  readonly #flipped = new Map<string, number>()
  #storage = memoryStorage()
  #journal: Change[] = []
  #lastAppends = new Map<RunId, number>()

  constructor(name: string, world: SimWorld) {
    this.name = name
    this.#world = world
  }

  get mirrors(): ReadonlyMap<RunId, LogMirror> {
    return this.#mirrors
  }

  get changes(): number {
    return this.#journal.length
  }

  mirror(run: RunId): LogMirror {
    const mirror = this.#mirrors.get(run) ?? new LogMirror(run)
    this.#mirrors.set(run, mirror)
    return mirror
  }

  /** When the last append to a run was, in ms of the simulation. */
  lastAppend(run: RunId): number | undefined {
    return this.#lastAppends.get(run)
  }

  /** The storage as a process sees it. Closing it closes nothing for the others. */
  mount(realm: Realm): RunStorage {
    const port = (name: keyof RunStorage): Methods =>
      Object.fromEntries(
        Object.keys(this.#storage[name]).map((method) => [
          method,
          (...args: readonly unknown[]) =>
            method === 'close' ? Promise.resolve() : this.#request(realm, name, method, args),
        ]),
      )
    const ports = (['store', 'tails', 'snapshots', 'blobs', 'inbox', 'streams'] as const).map(
      (name) => [name, port(name)] as const,
    )
    return Object.fromEntries(ports) as unknown as RunStorage
  }

  /** A bit of a stored line turns over, until the line is written anew. */
  flip(run: RunId, seq: number): void {
    const digest = this.mirror(run).at(seq)?.digest
    if (digest) this.#flipped.set(digest, this.#world.dice.below(2 ** 16))
  }

  /** The disk as it was after so many changes. Those who worked on the other one are dead. */
  async restore(changes: readonly Change[]): Promise<void> {
    this.#storage = memoryStorage()
    this.#journal = []
    for (const change of changes) {
      await this.#call(change)
      this.#journal.push(change)
    }
    for (const [run, mirror] of this.#mirrors) mirror.reset(await this.#lines(run))
    this.#acknowledged.clear()
  }

  /** The changes up to a number of them. */
  upTo(count: number): readonly Change[] {
    return this.#journal.slice(0, count)
  }

  /** What a power loss leaves at least: all up to the last strict change. */
  get strictUpTo(): number {
    return this.#journal.findLastIndex(({ strict }) => strict) + 1
  }

  /** What was acknowledged and is neither in the log nor set aside. */
  async lost(run: RunId): Promise<readonly number[]> {
    const lines = await this.#lines(run)
    const kept = new LogMirror(run)
    kept.reset(lines)
    const { entries, first } = kept
    const known = new Set(entries.map(({ digest }) => digest))
    const tails = await this.#storage.tails.list(run)
    for (const { lines: tail } of tails) {
      const aside = new LogMirror(run)
      aside.reset(tail)
      for (const { digest } of aside.entries) known.add(digest)
    }
    const promised = this.#acknowledged.get(run) ?? new Map<Digest, number>()
    return [...promised].flatMap(([digest, seq]) => (known.has(digest) || seq < first ? [] : [seq]))
  }

  async #lines(run: RunId): Promise<readonly Uint8Array[]> {
    const lines: Uint8Array[] = []
    for (let from = 0; ;) {
      const page = await this.#storage.store.read(run, from)
      const [first] = page
      if (first === undefined) return lines
      lines.push(...page)
      from = headOfLine(first).seq + page.length
    }
  }

  #request(realm: Realm, port: keyof RunStorage, method: string, args: readonly unknown[]): Promise<unknown> {
    const { scheduler, dice, coverage } = this.#world
    const what = `${port}.${method}`
    return new Promise((resolve, reject) => {
      const answer = (work: () => void): void =>
        void scheduler.inLine('disk answers', dice.between(0.01, 0.3), `${what} answered`, realm, work)
      realm.pending.add(what)
      scheduler.sentInLine('disk', dice.between(latency.from, latency.to), what, realm, () => {
        realm.pending.delete(what)
        if (this.#isTorn(realm)) return
        const { fails } = this
        if (
          fails &&
          fails.left > 0 &&
          (fails.code === 'storage_failed' || method === 'append' || method === 'put')
        ) {
          fails.left -= 1
          coverage.hit(fails.code, what)
          return answer(() => reject(new WaystoneError(fails.code, `the simulated disk failed at ${what}`)))
        }
        const change = { port, method, args, strict: isStrict(port, args) }
        void this.#call(change).then(
          (value) => {
            if (changing.has(method)) this.#journal.push(change)
            if (port === 'store' && method === 'append') this.#appended(args, value as Appended)
            answer(() => {
              if (port === 'store' && method === 'append') this.#promise(args, value as Appended)
              resolve(port === 'store' && method === 'read' ? this.#damaged(value as Uint8Array[]) : value)
            })
          },
          (error: unknown) => answer(() => reject(error as Error)),
        )
      })
    })
  }

  /** What a killed process had asked for is done up to a point that nobody knows. */
  #isTorn(realm: Realm): boolean {
    if (!realm.alive) realm.torn ||= this.#world.dice.chance(0.5)
    return realm.torn
  }

  #call({ port, method, args }: Change): Promise<unknown> {
    return ((this.#storage[port] as unknown as Methods)[method] as Methods[string])(...args)
  }

  #appended(args: readonly unknown[], appended: Appended): void {
    if (!appended.ok) return
    const [run, append] = args as [RunId, Append]
    this.#lastAppends.set(run, this.#world.scheduler.now)
    const mirror = this.mirror(run)
    const added = mirror.append(append)
    for (const { digest } of added) this.#flipped.delete(digest)
    this.onAdded(mirror, added)
  }

  #promise(args: readonly unknown[], appended: Appended): void {
    if (!appended.ok) return
    const [run, { lines }] = args as [RunId, Append]
    const promised = this.#acknowledged.get(run) ?? new Map<Digest, number>()
    this.#acknowledged.set(run, promised)
    const mirror = this.mirror(run)
    for (let seq = appended.head.seq; seq > appended.head.seq - lines.length; seq -= 1) {
      const entry = mirror.at(seq)
      if (entry) promised.set(entry.digest, seq)
    }
  }

  #damaged(lines: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this.#flipped.size === 0) return lines
    const mirror = new LogMirror('' as RunId)
    mirror.reset(lines)
    return lines.map((line, index) => {
      const bit = this.#flipped.get(mirror.entries[index]?.digest as Digest)
      if (bit === undefined) return line
      const flipped = line.slice()
      // Not in the number of the format, which comes first: such a run is refused as one of a later Waystone.
      const at = formatChars + ((bit >> 3) % (line.length - formatChars))
      flipped[at] = (flipped[at] as number) ^ (1 << (bit & 7))
      return flipped
    })
  }
}

/** Only appends are stored in one of two ways. */
function isStrict(port: keyof RunStorage, args: readonly unknown[]): boolean {
  return port === 'store' && (args[1] as Partial<Append> | undefined)?.durability === 'strict'
}
