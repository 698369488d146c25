import type { Digest } from '../ids.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Clock } from '../ports/clock.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import type { BlobNote, Gone } from './bodies.ts'
import { parseLine } from './entry.ts'
import { artifactNotesIn, namesIn, type Fold } from './fold.ts'
import { oldestIn } from './key-index.ts'
import type { RetentionPlan } from './retention.ts'
import type { RunLog } from './run-log.ts'

/** What letting go needs. */
export interface CollectorPorts {
  readonly blobs: Blobs
  readonly snapshots: Snapshots
  /** Others work between two of its tasks. */
  readonly clock: Pick<Clock, 'task'>
}

/** What stays whatever a plan says. */
export interface Staying {
  readonly blobs: ReadonlySet<string>
  /** What was set aside is read from the newest snapshot up to this entry on, also when whoever writes the run keeps it no more. */
  readonly parted: number
  /** False when the plan is out of date. */
  isCurrent(): boolean
}

/** What goes beside entries, and what stays. */
interface Going {
  readonly snapshots: readonly number[]
  readonly kept: readonly number[]
  readonly but: readonly Digest[] | undefined
}

/**
 * Lets go of what a plan does not keep of one run: entries, snapshots, and the blobs that only they needed. Entries go
 * first and bytes last, so that a kill in between leaves only more than is needed.
 */
export class LogCollector {
  readonly #log: RunLog
  readonly #ports: CollectorPorts
  #done: Pick<RetentionPlan, 'forget' | 'cold'> = { forget: 0, cold: 0 }
  #held: ReadonlySet<number> = new Set()
  #gone: Gone = { before: 0, but: [] }

  constructor(log: RunLog, ports: CollectorPorts) {
    this.#log = log
    this.#ports = ports
  }

  /** Those of the entries that are gone whose artifacts are still needed. */
  get held(): ReadonlySet<number> {
    return this.#held
  }

  /** What is gone, as far as is known here. */
  get gone(): Gone {
    return this.#gone
  }

  /** Does what is left to do of a plan. Nothing while a snapshot that it rests on is not whole here. */
  async letGo({ forget, cold, keep, but }: RetentionPlan, staying: Staying): Promise<void> {
    const { run } = this.#log
    const here = await this.#ports.snapshots.list(run)
    const wanted = new Set(keep.map(({ at }) => at.seq))
    const base = staying.parted === Infinity ? undefined : here.findLast((at) => at <= staying.parted)
    if (base !== undefined) wanted.add(base)
    // Its writer may have let go of more since, in the same moment: what is left is read from there on.
    if (but !== undefined) wanted.add(forget - 1)
    const snapshots = here.filter((at) => !wanted.has(at))
    const isDone = forget <= this.#done.forget && cold <= this.#done.cold && snapshots.length === 0
    if (isDone || (forget > 0 && !(await this.#bring(keep)))) return
    const isDue = ({ keys, unwind }: Fold): boolean =>
      staying.isCurrent() && oldestIn(keys) >= forget && (forget === 0 || unwind === undefined)
    if (!(await this.#log.compact({ forget, cold }, isDue))) return
    // What a store keeps beyond what it must is kept whole.
    const gone = Math.max(this.#gone.before, Math.min(forget, (await this.#log.reader.first()) ?? 0))
    const fold = this.#log.mustFold()
    const kept = here.filter((at) => wanted.has(at))
    const { only, artifacts } = await this.#onlyFor(fold, gone, { snapshots, kept, but })
    const blobs = only.filter((hash) => !staying.blobs.has(hash))
    if (!staying.isCurrent()) return
    if (!(await this.#log.remove(fold, snapshots, blobs))) return
    this.#gone = { before: gone, but: artifacts }
    this.#done = { forget, cold }
  }

  /**
   * Brings the chunks of the snapshots that reading rests on here: of the first that is not kept for a label, and of those
   * before it, as far as this log ever had them. False when some cannot be had.
   */
  async #bring(keep: RetentionPlan['keep']): Promise<boolean> {
    const { blobs } = this.#ports
    const { run } = this.#log
    const base = keep.find(({ label }) => label === undefined)
    const first = (await this.#log.reader.first()) ?? 0
    for (const { at: head, label } of keep) {
      const at = head.seq
      if (base && at > base.at.seq) break
      const hashes = await this.#chunks(at)
      if (hashes === undefined && label !== undefined && at < first) continue
      if (hashes === undefined) return false
      for (const hash of hashes.length === 0 ? [] : await blobs.missing(run, hashes)) {
        if ((await blobs.get(run, hash).catch(() => undefined)) === undefined) return false
      }
    }
    return true
  }

  /** The blobs that nothing needs but the entries before `gone` and these snapshots, and the artifacts that stay. */
  async #onlyFor(
    { blobs: notes }: Fold,
    gone: number,
    { snapshots, kept, but }: Going,
  ): Promise<{ readonly only: readonly Digest[]; readonly artifacts: readonly Digest[] }> {
    const before = notes.filter(({ seq }) => seq < gone)
    this.#held = but ? heldBy(before, but) : await this.#heldOf(before, kept)
    const going = new Set(before.filter((note) => !this.#held.has(note.seq)))
    const rest = notes.filter((note) => !going.has(note))
    const staying = new Set(rest.flatMap(({ hashes }) => hashes))
    const artifacts = new Set(rest.flatMap(({ artifact, hashes }) => (artifact ? hashes : [])))
    for (const at of kept) for (const hash of (await this.#chunks(at)) ?? []) staying.add(hash)
    const candidates = new Set([...going].flatMap(({ hashes }) => hashes))
    for (const at of snapshots) for (const hash of (await this.#chunks(at)) ?? []) candidates.add(hash)
    return { only: [...candidates].filter((hash) => !staying.has(hash)), artifacts: [...artifacts] }
  }

  /** The entries whose artifacts a checkpoint that stays still has, in its state, by name or in its records. */
  async #heldOf(notes: readonly BlobNote[], kept: readonly number[]): Promise<ReadonlySet<number>> {
    const held = new Set<number>()
    if (!notes.some(({ artifact }) => artifact)) return held
    for (const at of [this.#log.mustFold().head.seq, ...kept]) {
      const checkpoint = namesIn(await this.#log.foldAt(at))
      for (const { seq } of artifactNotesIn(notes, checkpoint)) held.add(seq)
      await this.#ports.clock.task()
    }
    return held
  }

  /** The chunks of a snapshot, but not what its entry itself needs, which may stay in the log. */
  async #chunks(at: number): Promise<readonly Digest[] | undefined> {
    const line = await this.#ports.snapshots.get(this.#log.run, at)
    if (line === undefined) return undefined
    const { blobs, bodyBlob } = parseLine(line)
    return (blobs ?? []).filter((hash) => hash !== bodyBlob)
  }
}

function heldBy(notes: readonly BlobNote[], but: readonly Digest[]): ReadonlySet<number> {
  const needed = new Set(but)
  return new Set(notes.filter(({ hashes }) => hashes.some((hash) => needed.has(hash))).map(({ seq }) => seq))
}
