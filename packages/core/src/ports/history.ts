import type { Digest, RunId } from '../ids.ts'

/**
 * Where a store puts lines that are seldom read: objects of many lines, by the SHA-256 of their bytes, of which ranges are
 * read. What is put is durable when the promise resolves; to put it again is fine. Whoever calls keeps track of what
 * there is.
 */
export interface HistoryObjects {
  put(run: RunId, hash: Digest, bytes: Uint8Array): Promise<void>
  /** Undefined when there is no such object. Rejects when that cannot be told. */
  get(run: RunId, hash: Digest, range: HistoryRange): Promise<Uint8Array | undefined>
  /** One that is not there is fine. */
  remove(run: RunId, hash: Digest): Promise<void>
}

/** A part of an object, in bytes. */
export interface HistoryRange {
  readonly offset: number
  readonly length: number
}
