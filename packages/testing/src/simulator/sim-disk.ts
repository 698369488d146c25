import {
  foldAside,
  headOfLine,
  isWaystoneError,
  RunLog,
  WaystoneError,
  type Append,
  type Appended,
  type Digest,
  type InboxItem,
  type RunId,
  type RunStorage,
} from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { digestsOf, LogMirror, seenOf, type Seen } from './log-mirror.ts'
import type { Realm } from './scheduler.ts'
import { simCipher } from './sim-cipher.ts'
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

/** Requests that a platform makes again by itself. */
const asked = new Set(['store.append', 'blobs.put'])
const changing = new Set(['append', 'compact', 'put', 'share', 'remove', 'drop'])

const formatChars = '{"format":1'.length

/** How long one request to the storage of a device takes, in ms. */
const latency = { from: 0.2, to: 2 } as const

/** What outlives the processes that work on it: storage in memory, whose requests take time and can be torn off or fail. */
export class SimDisk {
  readonly name: string
  /** Told of every entry that was stored. */
  onAdded: (mirror: LogMirror, added: readonly Seen[]) => void = () => undefined
  /** How likely a request is made twice, since its answer was lost. */
  asksTwice = 0
  /** The notes that its inboxes have taken, in order. */
  readonly notes = new Map<RunId, string[]>()
  /** It has gone back, is damaged, or is one of two that take themselves for the same. */
  isForgetful = false
  /** Where blobs are fetched from that are not here. */
  alsoAt: (run: RunId) => SimDisk | undefined = () => undefined
  /** The next requests fail with this. */
  fails: { readonly code: 'storage_failed' | 'storage_full'; left: number } | undefined
  readonly #world: SimWorld
  readonly #isOfObject: boolean
  readonly #mirrors = new Map<RunId, LogMirror>()
  /** What stores have said that they have. */
  readonly #acknowledged = new Map<RunId, Map<Digest, number>>()
  readonly #flipped = new Map<string, number>()
  #storage = memoryStorage()
  /** How often it went back: what was asked for before is not done any more. */
  #restored = 0
  #journal: Change[] = []
  #lastAppends = new Map<RunId, number>()

  constructor(name: string, world: SimWorld, { isOfObject = false } = {}) {
    this.name = name
    this.#isOfObject = isOfObject
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

  /** Nothing goes wrong any more. What is damaged stays so. */
  heal(): void {
    this.fails = undefined
    this.asksTwice = 0
  }

  /** A bit of a stored line turns over, until the line is written anew. */
  flip(run: RunId, seq: number): void {
    const digest = this.mirror(run).at(seq)?.digest
    if (digest === undefined) return
    this.isForgetful = true
    this.#flipped.set(digest, this.#world.dice.below(2 ** 16))
  }

  /** True when a bit of an entry before this one has turned over. */
  isDamaged(run: RunId, before: number): boolean {
    return this.mirror(run).entries.some(({ seq, digest }) => seq < before && this.#flipped.has(digest))
  }

  /** The disk as it was after so many changes. Those who worked on the other one are dead. */
  async restore(changes: readonly Change[]): Promise<void> {
    this.#restored += 1
    this.isForgetful = true
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
    const first = lines[0] ? headOfLine(lines[0]).seq : 0
    const tails = await this.#storage.tails.list(run)
    const known = new Set([lines, ...tails.map((tail) => tail.lines)].flatMap(digestsOf))
    const promised = this.#acknowledged.get(run) ?? new Map<Digest, number>()
    return [...promised].flatMap(([digest, seq]) => (known.has(digest) || seq < first ? [] : [seq]))
  }

  /** What was set aside after an entry of the log, or of what was, and cannot be opened any more although nobody has dropped it. */
  async unopened(run: RunId): Promise<readonly string[]> {
    if (this.isForgetful) return []
    const { blobs } = this.#storage
    const edge = this.alsoAt(run)
    const get: typeof blobs.get = async (of, hash) =>
      (await blobs.get(of, hash)) ?? (edge && (await edge.#storage.blobs.get(of, hash)))
    const ports = { ...this.#storage, blobs: { ...blobs, get }, now: () => 0, cipher: simCipher }
    const log = await RunLog.open(run, ports)
    const gone: string[] = []
    const tails = await this.#storage.tails.list(run)
    const aside = new Set<string>(tails.flatMap(({ lines }) => seenOf(lines)).map(({ digest }) => digest))
    const isHere = ({ seq, prev }: Seen): boolean =>
      prev !== null && (aside.has(prev) || this.mirror(run).at(seq - 1)?.digest === prev)
    for (const tail of tails) {
      const [first] = seenOf(tail.lines)
      if (first === undefined || !isHere(first)) continue
      await foldAside(log, tail, tails).catch((error: unknown) => {
        if (isWaystoneError(error, 'checkpoint_gone')) gone.push(tail.name)
      })
    }
    return gone
  }

  async #firstOf(run: RunId): Promise<number> {
    const [first] = await this.#storage.store.read(run, 0, 1)
    return first ? headOfLine(first).seq : 0
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
    const { scheduler, dice } = this.#world
    const what = `${port}.${method}`
    const change = { port, method, args, strict: isStrict(port, args) }
    const isChange = changing.has(method)
    // An object has its rows in its own process: a change is one transaction with all that it makes of it before it waits again.
    const isOwn = this.#isOfObject && port !== 'blobs'
    const restored = this.#restored
    return new Promise((resolve, reject) => {
      // Between a change and the answer to it a process may die; to one that only reads it makes no difference.
      const answer = (work: () => void): void => {
        if ((isChange && !isOwn) || realm.frozen)
          scheduler.inLine('disk answers', dice.between(0.01, 0.3), `${what} answered`, realm, work)
        else if (realm.alive) work()
      }
      realm.pending.add(what)
      scheduler.sentInLine('disk', dice.between(latency.from, latency.to), what, realm, () => {
        realm.pending.delete(what)
        if (this.#isTorn(realm, isOwn) || restored !== this.#restored) return
        const failure = this.#failure(what, method)
        if (failure) return answer(() => reject(failure))
        void this.#carryOut(change, what).then(
          (value) => answer(() => resolve(this.#answered(change, what, value))),
          (error: unknown) => answer(() => reject(error as Error)),
        )
      })
    })
  }

  #failure(what: string, method: string): WaystoneError | undefined {
    const { fails } = this
    // A full disk refuses what makes it fuller.
    const isMet = fails?.code === 'storage_failed' || method === 'append' || method === 'put'
    if (fails === undefined || fails.left === 0 || !isMet) return undefined
    fails.left -= 1
    this.#world.coverage.hit(fails.code, what)
    return new WaystoneError(fails.code, `the simulated disk failed at ${what}`)
  }

  async #carryOut(change: Change, what: string): Promise<unknown> {
    const { dice, coverage } = this.#world
    // The answer was lost on the way, and the request is made again.
    const isTwice = asked.has(what) && dice.chance(this.asksTwice)
    const first = isTwice ? this.#call(change) : undefined
    const value = await this.#call(change)
    if (first) {
      coverage.hit('asked twice', what)
      this.#checkTwice(what, await first, value)
    }
    if (changing.has(change.method)) this.#journal.push(change)
    if (what === 'store.append') this.#appended(change.args, value as Appended)
    if (what === 'inbox.put' && value === 'added') this.#note(change.args)
    return value
  }

  #answered({ args }: Change, what: string, value: unknown): unknown {
    if (what === 'store.append') this.#promise(args, value as Appended)
    return what === 'store.read' ? this.#damaged(value as readonly Uint8Array[]) : value
  }

  /** Asked again, a store says yes again. */
  #checkTwice(what: string, before: unknown, again: unknown): void {
    const isSame =
      (before as Partial<Appended> | undefined)?.ok === (again as Partial<Appended> | undefined)?.ok
    if (!isSame) this.#world.fail(`${this.name} took ${what}, and asked again refused what it had taken`)
  }

  #note(args: readonly unknown[]): void {
    const [run, item] = args as [RunId, InboxItem]
    if (item.type === 'message') this.notes.set(run, [...(this.notes.get(run) ?? []), item.id])
  }

  missing(run: RunId, hashes: readonly Digest[]): Promise<readonly Digest[]> {
    return this.#storage.blobs.missing(run, hashes)
  }

  /**
   * Blobs that an entry names are stored before it, here or where they can be fetched from. What older snapshots name, or entries
   * that are let go of there as this store takes them, goes there as soon as a newer snapshot has come: nobody needs them to read the run.
   */
  async #checkBlobs(run: RunId, added: readonly Seen[]): Promise<void> {
    const newest = added.findLast(({ kind }) => kind === 'snapshot')
    const needed = added.filter((entry) => entry.kind !== 'snapshot' || entry === newest)
    const named = needed.flatMap(({ blobs }) => blobs ?? [])
    if (named.length === 0) return
    const here = await this.missing(run, named)
    const elsewhere = here.length === 0 ? undefined : this.alsoAt(run)
    const missing = new Set((await elsewhere?.missing(run, here)) ?? here)
    const first = elsewhere && missing.size > 0 ? await elsewhere.#firstOf(run) : 0
    if (needed.some(({ seq, blobs = [] }) => seq >= first && blobs.some((hash) => missing.has(hash))))
      this.#world.fail(`${this.name} has an entry of ${run} and not the blob that it names`)
  }

  /** What a killed process had asked for is done up to a point that nobody knows. */
  #isTorn(realm: Realm, isOwn: boolean): boolean {
    if (realm.alive) return false
    realm.torn ||= this.#world.dice.chance(0.5)
    return realm.torn || isOwn
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
    void this.#checkBlobs(run, added)
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
