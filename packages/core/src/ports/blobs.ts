import { WaystoneError } from '../errors.ts'
import type { Digest, RunId } from '../ids.ts'
import { limits } from '../limits.ts'

/**
 * Keeps bytes by their SHA-256. A blob is put before the entry that names it, never changes, and may be put again.
 * Each run has blobs of its own: what one removes no other loses, although equal bytes may be stored once.
 */
export interface Blobs {
  /**
   * Stores the bytes, which the caller keeps owning. Durable when resolved. Rejects with `too_large`. `cold`: written
   * when there is time and seldom read, so that it may be compressed.
   */
  put(run: RunId, hash: Digest, bytes: Uint8Array, options?: { readonly cold?: boolean }): Promise<void>
  /** The bytes, owned by the caller, or undefined. */
  get(run: RunId, hash: Digest): Promise<Uint8Array | undefined>
  /** Those of the hashes that this run does not have. */
  missing(run: RunId, hashes: readonly Digest[]): Promise<readonly Digest[]>
  /** Gives a run blobs of another one. Those of the hashes that neither has. */
  share(from: RunId, to: RunId, hashes: readonly Digest[]): Promise<readonly Digest[]>
  /** This run needs them no more. */
  remove(run: RunId, hashes: readonly Digest[]): Promise<void>
}

/** What reading a run needs of its blobs. */
export interface ReadBlobs extends Pick<Blobs, 'get'> {
  /** What it gives has the bytes that its hash says: nobody need look again. */
  readonly checked?: boolean
}

/** Throws `too_large` for bytes that no blob may have. */
export function checkBlobSize(run: RunId, { byteLength }: Uint8Array): void {
  if (byteLength <= limits.blobBytesMax) return
  throw new WaystoneError(
    'too_large',
    `a blob has at most ${String(limits.blobBytesMax)} bytes, found ${String(byteLength)}`,
    { run },
  )
}

/** The blobs of an edge, as a device reaches them: what is to be removed there is for the edge to say. */
export type RemoteBlobs = Omit<Blobs, 'remove'>
