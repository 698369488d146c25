import type { Digest } from '../ids.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Snapshots } from '../ports/snapshots.ts'
import { encodeValue } from '../state/codec.ts'
import { parseLine } from './entry.ts'
import type { RetentionPlan } from './retention.ts'
import type { RunLog } from './run-log.ts'

/** What letting go needs. */
export interface CollectorPorts {
  readonly blobs: Blobs
  readonly snapshots: Snapshots
  /** Lets others work: resolves in a later task. */
  task(): Promise<void>
}

/**
 * Lets go of what a plan does not keep of one run: entries, snapshots, and the blobs that only they needed. Entries go
 * first and bytes last, so that a kill in between leaves only more than is needed.
 */
export class LogCollector {
  readonly #log: RunLog
  readonly #ports: CollectorPorts
  #gone = 0
  #cold = 0

  constructor(log: RunLog, ports: CollectorPorts) {
    this.#log = log
    this.#ports = ports
  }

  /** Entries before this one, and what only they needed, are gone. */
  get gone(): number {
    return this.#gone
  }

  /** Does what is left to do of a plan. Nothing while a snapshot that it rests on is not whole here. */
  async letGo({ forget, cold, keep }: RetentionPlan): Promise<void> {
    const { run } = this.#log
    const kept = new Set(keep.map(({ at }) => at.seq))
    const snapshots = (await this.#ports.snapshots.list(run)).filter((at) => !kept.has(at))
    const isDone = forget <= this.#gone && cold <= this.#cold && snapshots.length === 0
    if (isDone || (forget > 0 && !(await this.#bring([...kept])))) return
    const blobs = await this.#onlyFor(forget, snapshots, [...kept])
    await this.#log.letGo({ compaction: { forget, cold }, snapshots, blobs })
    this.#gone = forget
    this.#cold = cold
  }

  /** Brings the chunks of snapshots here. False when some cannot be had. */
  async #bring(kept: readonly number[]): Promise<boolean> {
    const { blobs } = this.#ports
    const { run } = this.#log
    for (const at of kept) {
      const hashes = await this.#chunks(at)
      if (hashes === undefined) return false
      for (const hash of hashes.length === 0 ? [] : await blobs.missing(run, hashes)) {
        if ((await blobs.get(run, hash).catch(() => undefined)) === undefined) return false
      }
    }
    return true
  }

  /** The blobs that nothing needs but the entries before `forget` and these snapshots. */
  async #onlyFor(
    forget: number,
    snapshots: readonly number[],
    kept: readonly number[],
  ): Promise<readonly Digest[]> {
    const notes = this.#log.mustFold().blobs
    const going = notes.filter(({ seq }) => seq < forget)
    const staying = new Set(notes.filter(({ seq }) => seq >= forget).flatMap(({ hashes }) => hashes))
    for (const at of kept) for (const hash of (await this.#chunks(at)) ?? []) staying.add(hash)
    const candidates = new Set(going.flatMap(({ hashes }) => hashes))
    for (const at of snapshots) for (const hash of (await this.#chunks(at)) ?? []) candidates.add(hash)
    const artifacts = new Set(going.flatMap(({ artifact, hashes }) => (artifact ? hashes : [])))
    const free = [...candidates].filter((hash) => !staying.has(hash))
    const held = await this.#held(
      free.filter((hash) => artifacts.has(hash)),
      kept,
    )
    return free.filter((hash) => !held.has(hash))
  }

  /** Those of the artifacts that a checkpoint that stays still has, in its state or by their names. */
  async #held(artifacts: readonly Digest[], kept: readonly number[]): Promise<ReadonlySet<Digest>> {
    const held = new Set<Digest>()
    if (artifacts.length === 0) return held
    for (const at of [this.#log.mustFold().head.seq, ...kept]) {
      const { state, artifacts: named, records } = await this.#log.foldAt(at)
      const text = JSON.stringify([encodeValue(state), named, records])
      for (const hash of artifacts) if (text.includes(hash)) held.add(hash)
      await this.#ports.task()
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
