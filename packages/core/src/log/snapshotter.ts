import { isWaystoneError } from '../errors.ts'
import type { OwnerId } from '../ids.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Clock } from '../ports/clock.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import type { Tails } from '../ports/tails.ts'
import type { EntryDraft, LabelNote, Retention } from './bodies.ts'
import { isDamage } from './damage.ts'
import type { Fold } from './fold.ts'
import { asideOf, nothingAside, type Aside } from './aside.ts'
import { LogCollector, type Staying } from './log-collector.ts'
import type { Chunk, PackCache } from './pack.ts'
import {
  planAsWriter,
  planRetention,
  snapshotDue,
  type RetentionPlan,
  type SnapshotPolicy,
} from './retention.ts'
import type { Appending, RunLog } from './run-log.ts'
import { snapshotOf, type SnapshotOptions } from './snapshot.ts'

/** What tidying up one run's log needs of its host. */
export interface SnapshotterPorts {
  readonly me: OwnerId
  readonly blobs: Blobs
  readonly snapshots: Snapshots
  /** What time it is, and tasks: others work between two of its own. */
  readonly clock: Pick<Clock, 'task' | 'now'>
  /** True while this host may append. */
  mayAppend(): boolean
  /**
   * True while no other host of the same storage writes this run: it may count on chunks that would be removed here.
   * Absent: always.
   */
  mayLetGo?(): boolean
  /** What was set aside of the run, and can be opened as long as nobody has dropped it. */
  readonly tails: Pick<Tails, 'list'>
  /** What of a run is to be kept, undefined: all; or where it cannot be read, as much as its writer keeps. */
  retention(fold: Fold): Retention | 'as its writer' | undefined
  /** When a run wants snapshots that reading does not need yet. Absent: never. */
  policy?(fold: Fold): SnapshotPolicy
  /** The last entry that is elsewhere too; Infinity where there is no elsewhere. */
  synced(): number
  /** Hears of what went wrong in the background: nothing is lost by it, and it is tried again after the next entries. */
  failed?(error: unknown): void
}

/** Work between two tasks, in bytes packed: about a millisecond's. */
const sliceBytes = 100_000

/**
 * Keeps reading short and history bounded, beside the appends of one run: makes snapshots when they are due, lets go of
 * what the run's retention does not ask for. Killed at any moment it leaves nothing but a little more than is needed.
 */
export class Snapshotter {
  readonly #log: RunLog
  readonly #ports: SnapshotterPorts
  readonly #collector: LogCollector
  readonly #cache: PackCache = new WeakMap()
  readonly #unlisten: () => void
  /** Labelled checkpoints that cannot be read here any more. */
  readonly #lost = new Set<number>()
  /** What needs something of the history although it is not in the log. */
  #aside: Aside = nothingAside
  #working: Promise<void> | undefined
  /** How often the log has become another one. */
  #replaced = 0
  #closed = false

  constructor(log: RunLog, ports: SnapshotterPorts) {
    this.#log = log
    this.#ports = ports
    this.#collector = new LogCollector(log, ports)
    const stops = [
      log.listen((appending, fold) => this.#onEntries(appending, fold)),
      log.onReplaced(() => (this.#replaced += 1)),
    ]
    this.#unlisten = () => {
      for (const stop of stops) stop()
    }
  }

  /** Makes what is due; resolves when nothing is. Never rejects. */
  settle(): Promise<void> {
    this.#working ??= this.#work()
      .catch((error: unknown) => this.#ports.failed?.(error))
      .finally(() => (this.#working = undefined))
    return this.#working
  }

  /** Stops; what is being written is given up. */
  close(): void {
    this.#closed = true
    this.#unlisten()
  }

  #onEntries({ entries }: Appending, fold: Fold): void {
    const isDue = this.#isDue(fold)
    if (isDue || entries.some(({ kind }) => kind === 'snapshot')) void this.settle()
  }

  async #work(): Promise<void> {
    // Once the append that was heard of has been told to everybody.
    await this.#ports.clock.task()
    const now = this.#log.fold
    const replaced = this.#replaced
    if (now === undefined || this.#closed) return
    // What is consumed while this is at work is no part of a checkpoint from before.
    const fold = { ...now, consumed: new Set(now.consumed) }
    this.#aside = this.#ports.retention(now)
      ? asideOf(await this.#ports.tails.list(this.#log.run), (await this.#log.reader.first()) ?? 0)
      : nothingAside
    if (this.#replaced !== replaced) return
    // First what may have been left undone before: a snapshot forgets what was let go.
    await this.#tidy()
    if (this.#isDue(fold) && this.#replaced === replaced && (await this.#snapshot(fold))) await this.#tidy()
  }

  /**
   * Gives labelled checkpoints snapshots of their own, then lets go of what is not to be kept. A host that may not write them
   * waits until they have come from whoever writes the run.
   */
  async #tidy(): Promise<void> {
    for (;;) {
      const plan = this.#plan(this.#log.mustFold())
      const first = plan.label.length === 0 ? 0 : ((await this.#log.reader.first()) ?? 0)
      const next = plan.label.find(({ at }) => at.seq >= first)
      if (next === undefined) {
        if (this.#ports.mayLetGo?.() !== false) await this.#collector.letGo(plan, this.#stays())
        return
      }
      if (!this.#mayAppend()) return
      const of = await this.#foldOf(next)
      if (of && !(await this.#snapshot(of, next.label))) return
    }
  }

  /** What is set aside meanwhile may need any of what would go. */
  #stays(): Staying {
    const replaced = this.#replaced
    return { ...this.#aside, isCurrent: () => this.#replaced === replaced }
  }

  /** A labelled checkpoint; undefined when it cannot be read here any more. */
  async #foldOf({ at }: LabelNote): Promise<Fold | undefined> {
    try {
      return await this.#log.foldAt(at.seq)
    } catch (error) {
      if (!isWaystoneError(error, 'checkpoint_gone') && !isDamage(error)) throw error
      this.#lost.add(at.seq)
      return undefined
    }
  }

  #plan(fold: Fold): RetentionPlan {
    const { clock, synced } = this.#ports
    const { parted } = this.#aside
    const retention = this.#ports.retention(fold)
    if (retention === 'as its writer') return planAsWriter(fold, parted)
    return planRetention(fold, retention, { now: clock.now(), synced: synced(), lost: this.#lost, parted })
  }

  #isDue(fold: Fold): boolean {
    return this.#mayAppend() && snapshotDue(fold, () => this.#ports.policy?.(fold))
  }

  #mayAppend(): boolean {
    return !this.#closed && this.#ports.mayAppend()
  }

  /** True when its entry was appended. */
  async #snapshot(of: Fold, label?: string): Promise<boolean> {
    const now = this.#log.mustFold()
    const replaced = this.#replaced
    const { keep, forget, label: pending } = this.#plan(now)
    const retention = this.#ports.retention(now)
    const kept = keep.filter(({ at }) => at.seq !== of.head.seq)
    const oldest = Math.min(forget - 1, of.head.seq, ...[...kept, ...pending].map(({ at }) => at.seq))
    const named = label === undefined ? {} : { label }
    const draft = await this.#pack(of, {
      kept,
      oldest,
      gone: this.#collector.gone,
      held: this.#collector.held,
      retention: retention === 'as its writer' ? undefined : retention,
      cache: this.#cache,
      ...named,
    })
    if (draft === undefined) return false
    const { me } = this.#ports
    const added = await this.#log.append(me, (fold) =>
      fold?.owner === me && this.#mayAppend() && this.#replaced === replaced ? [draft] : [],
    )
    return added.length > 0
  }

  /** Stores the chunks in short transactions, with a task between them. Undefined when this was closed. */
  async #pack(fold: Fold, options: SnapshotOptions): Promise<EntryDraft | undefined> {
    const packing = snapshotOf(fold, { ...options, seal: (bytes) => this.#log.seal(bytes) })
    for (;;) {
      const batch: Chunk[] = []
      let next = packing.next()
      for (let bytes = 0; !next.done; next = packing.next()) {
        batch.push(next.value)
        bytes += next.value.bytes?.byteLength ?? 0
        if (bytes >= sliceBytes || batch.length >= 64) break
      }
      // A chunk that was packed before may have been removed since.
      if (!(await this.#store(batch))) return this.#pack(fold, { ...options, cache: new WeakMap() })
      if (next.done) return next.value
      await this.#ports.clock.task()
      if (!this.#mayAppend()) return undefined
    }
  }

  /** False when a chunk is neither there nor given. */
  async #store(batch: readonly Chunk[]): Promise<boolean> {
    const { blobs } = this.#ports
    const { run } = this.#log
    const hashes = batch.map(({ hash }) => hash)
    const missing = new Set(hashes.length === 0 ? [] : await blobs.missing(run, hashes))
    for (const { hash, bytes } of batch) {
      if (!missing.has(hash)) continue
      if (bytes === undefined) return false
      await blobs.put(run, hash, bytes, { cold: true })
    }
    return true
  }
}
