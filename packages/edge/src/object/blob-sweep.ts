import {
  unnamedBlobs,
  type Blobs,
  type Clock,
  type Digest,
  type Fold,
  type RunId,
  type RunLog,
} from '@waystone/core'
import type { ObjectStorage } from '../store/object-storage.ts'

/** When blobs are looked for that nothing names. */
export const blobsName = 'waystone.blobs'

/** How old a blob is before it may be removed that nothing names, in ms: an entry may be on its way for as long. */
const ageMsMin = 7 * 24 * 60 * 60_000
/** How long nobody may have put or looked for blobs before, in ms: who finds one here names it right after. */
const quietMs = 30_000
/** How often it is waited for that, and when it is tried again, in ms. */
const waitsMax = 10
const againMs = 60 * 60_000
/** Pages of a log that are read for it: a page may be in eight ranges of the bucket, and an invocation may make 1,000 requests (2026). */
const pagesMax = 50

/** What the sweep of blobs works with. */
export interface BlobSweepPorts {
  readonly run: RunId
  readonly storage: Pick<ObjectStorage, 'blobs' | 'oldBlobs' | 'snapshots' | 'tails' | 'inbox'>
  readonly clock: Clock
  /** Sets when to look, unless that is set. */
  readonly due: () => void
}

/**
 * Removes blobs that were put for entries which never came. Everybody in the object works with `blobs`: nothing is removed while it may
 * just have been looked for, and who looks for one waits for a removal that is under way.
 */
export class BlobSweep {
  readonly blobs: Blobs
  readonly #ports: BlobSweepPorts
  #used = -Infinity
  #removing: Promise<void> = Promise.resolve()
  /** What this is about to remove. */
  #unnamed: ReadonlySet<Digest> = new Set()

  constructor(ports: BlobSweepPorts) {
    this.#ports = ports
    const { blobs } = ports.storage
    this.blobs = {
      ...blobs,
      put: async (...args) => {
        await this.#use()
        await blobs.put(...args)
        ports.due()
      },
      missing: async (...args) => {
        await this.#use()
        return blobs.missing(...args)
      },
      share: async (...args) => {
        await this.#use()
        return blobs.share(...args)
      },
      remove: async (run, hashes) => {
        const going = this.#isQuiet() ? hashes : hashes.filter((hash) => !this.#unnamed.has(hash))
        const removing = blobs.remove(run, going)
        this.#removing = removing.catch(() => undefined)
        await removing
      },
    }
  }

  /** Blobs came past this object. */
  came(): void {
    this.#used = this.#ports.clock.now()
    this.#ports.due()
  }

  /** Removes some of what may go; when to look again, in ms since 1970, or undefined when there is nothing to look for. */
  async sweep(log: RunLog): Promise<number | undefined> {
    const { run, storage, clock } = this.#ports
    const before = clock.now() - ageMsMin
    const { old, next } = await storage.oldBlobs(run, before)
    if (old.length > 0) {
      const since = log.fold
      const unnamed = await unnamedBlobs(log, old, { ...storage, pagesMax, clock })
      if (unnamed.length > 0 && !(await this.#remove(log, since, unnamed))) return clock.now() + againMs
    }
    return next === undefined ? undefined : next + ageMsMin
  }

  /** False when they did not go, since others were about to name blobs. */
  async #remove(log: RunLog, since: Fold | undefined, unnamed: readonly Digest[]): Promise<boolean> {
    const { clock } = this.#ports
    for (let waits = 0; !this.#isQuiet(); waits++) {
      if (waits === waitsMax) return false
      await clock.wait(this.#used + quietMs - clock.now() + 1)
    }
    this.#unnamed = new Set(unnamed)
    try {
      return await log.remove(since, [], unnamed)
    } finally {
      this.#unnamed = new Set()
    }
  }

  #isQuiet(): boolean {
    return this.#ports.clock.now() - this.#used > quietMs
  }

  async #use(): Promise<void> {
    this.#used = this.#ports.clock.now()
    await this.#removing
  }
}
