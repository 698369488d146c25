import type { Digest, OwnerId, RunId } from '../ids.ts'

/** The last entry of a log: its sequence number and the SHA-256 of its stored bytes. */
export interface Head {
  readonly seq: number
  readonly digest: Digest
}

/** Where a step, a need or an owner is. */
export type Place = 'browser' | 'page' | 'edge'

/** The one set of statuses, for code, storage and UI. */
export type RunStatus = 'running' | 'waiting' | 'paused' | 'moving' | 'done' | 'failed' | 'cancelled'

/** What a list of runs shows, kept beside the log so that listing never folds one. */
export interface RunSummary {
  readonly run: RunId
  readonly agent: string
  readonly status: RunStatus
  readonly owner: OwnerId
  readonly place: Place
  /** Milliseconds since 1970 of the first entry and of the entry that last changed this summary. */
  readonly started: number
  readonly updated: number
  /** A session that was opened with an edge, which is to have it, too. */
  readonly edge?: true
  /**
   * The last entry that the log had when the edge was found to have all of it, as it is written down of runs that have ended and of
   * sessions that were closed.
   */
  readonly synced?: number
}

/** One append: all of it or nothing. */
export interface Append {
  /** The position the lines follow; undefined for the first entry of a log. */
  readonly base: Head | undefined
  /**
   * Sealed entries in order, without line ends. The store keeps these very bytes and does not change them. With none of them
   * only the summary is replaced, and only while the log ends at `base`.
   */
  readonly lines: readonly Uint8Array[]
  /** Where the log ends after the lines, from a caller that has hashed them: it saves the store from hashing again. */
  readonly end?: Head
  /** `strict` survives a power loss where the platform offers it; `relaxed` survives a killed process. */
  readonly durability: 'relaxed' | 'strict'
  /** Replaces what a list shows of this run, in the same transaction. */
  readonly summary?: RunSummary
  /** Set when `base` may lie before the head: entries after it are set aside, verbatim, in the same transaction. */
  readonly setAside?: { readonly reason: string; readonly time: number }
  /**
   * The log may begin after `base`, whatever was before that: one that is empty here or, with `setAside`, any, which is
   * set aside whole.
   */
  readonly begins?: true
}

/** Why an append stored nothing, or where the log ends now. */
export type Appended =
  | { readonly ok: true; readonly head: Head }
  | { readonly ok: false; readonly code: 'head_moved'; readonly head: Head | undefined }

/** What is no longer needed of a log as it is. */
export interface Compaction {
  /** Entries before this sequence number are let go. */
  readonly forget: number
  /** Entries before this one are seldom read: they may be kept smaller and slower to read, byte for byte as they were. */
  readonly cold: number
  /** The end of the log that this was planned for: of one that ends otherwise nothing is let go. Absent: of any. */
  readonly head?: Head
}

/**
 * Keeps logs. The contract every store meets, and the conformance suite checks:
 *
 * - `append` is a compare-and-set on the head and all or nothing; when its promise resolves with `ok` the lines
 *   survive a killed process. Appends to one run are applied in the order of the calls.
 * - An append whose lines are already in the log right after `base`, in any batches, is `ok` again and stores nothing.
 *   One whose first lines are there stores the others.
 * - Lines come back byte for byte. The caller owns the arrays it passes and receives.
 * - A log is dense from its first entry to its head; only `compact` moves its beginning, and never past the head.
 * - A store that was closed rejects with `closed`; one that failed rejects with `storage_failed`, `storage_full` or
 *   `storage_lost` and has stored nothing of that append.
 */
export interface LogStore {
  append(run: RunId, append: Append): Promise<Appended>
  /**
   * Lines from a sequence number on, or from the first that is kept: at least one if there is one, at most about
   * `limits.pageBytesMax` bytes. With `count` no more of them are needed: a store may give more.
   */
  read(run: RunId, from: number, count?: number): Promise<readonly Uint8Array[]>
  /** The last entry, or undefined for an unknown run. */
  head(run: RunId): Promise<Head | undefined>
  /** Summaries ordered by run id, those after `after` first, at most `limits.listRunsMax`. */
  list(after?: RunId): Promise<readonly RunSummary[]>
  /**
   * Lets entries go and packs others, in transactions so short that appends need not wait for long. Killed at any
   * moment it leaves the log as it was or with less to do. A store may keep a few entries more than it must.
   * False when the log ends otherwise than the compaction says, as one that somebody else writes.
   */
  compact(run: RunId, compaction: Compaction): Promise<boolean>
  /** Waits for appends under way and lets go of the storage. */
  close(): Promise<void>
}
