import type { Digest, RunId } from '../ids.ts'

/**
 * Keeps bytes by their SHA-256. A blob is put before the entry that names it, never changes, and may be put again.
 * The run is the scope of rights and of collection; equal bytes of two runs may be stored once.
 */
export interface Blobs {
  /** Stores the bytes, which the caller keeps owning. Durable when resolved. Rejects with `too_large`. */
  put(run: RunId, hash: Digest, bytes: Uint8Array): Promise<void>
  /** The bytes, owned by the caller, or undefined. */
  get(run: RunId, hash: Digest): Promise<Uint8Array | undefined>
  /** Those of the hashes that are not stored. */
  missing(run: RunId, hashes: readonly Digest[]): Promise<readonly Digest[]>
}
