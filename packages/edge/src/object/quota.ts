import { WaystoneError, type RunId } from '@waystone/core'
import type { LargeBlob } from '../store/sql-large-blobs.ts'

/** How much runs may keep at the edge. What is there already stays; the edge's own host is not held up by it. */
export interface Quota {
  /** Default a million. */
  readonly entriesMax?: number
  /** Of the rows of its object, in bytes; default 1 GiB. An object has 10 GB (2026). */
  readonly bytesMax?: number
  /** Of what it has in R2, in bytes: its blobs of 64 KiB and more, and the history that has moved there. Default 10 GiB. */
  readonly blobBytesMax?: number
  /** How many sockets may follow it at a time; default 500. */
  readonly socketsMax?: number
  /** How many runs its tenant may have when a device brings another one; default any number. Needs a catalog. */
  readonly runsMax?: number
  /** How many sockets its tenant may have at a time; default any number. `edgeRoutes` counts them, and needs a catalog for it. */
  readonly tenantSocketsMax?: number
}

const entriesMaxDefault = 1_000_000
const bytesMaxDefault = 1024 ** 3
const blobBytesMaxDefault = 10 * 1024 ** 3

/** What there is of a run before more of it comes from a device. */
export interface Kept {
  readonly entries: number
  readonly bytes: number
  /** With those that are on their way. */
  readonly blobBytes: number
  /** Of the history that has moved to R2. */
  readonly historyBytes: number
}

/** What comes: a push that makes it so many entries, a claim, or blobs, of which those for R2 are named. */
export type Coming =
  { readonly entries: number } | { readonly claim: true } | { readonly blobs: readonly LargeBlob[] }

/** So many entries above its quota a run may still be claimed: one that is full can be moved to where it is let go of. */
const claimsSpare = 100

/**
 * Throws `limit_exceeded` when a device may not bring a run what it is about to. What is stored already may be sent again.
 */
export function checkQuota(run: RunId, quota: Quota, kept: Kept, coming: Coming): void {
  const {
    entriesMax = entriesMaxDefault,
    bytesMax = bytesMaxDefault,
    blobBytesMax = blobBytesMaxDefault,
  } = quota
  if ('claim' in coming) {
    if (kept.entries >= entriesMax + claimsSpare) throw full(run, `${String(entriesMax)} entries`)
    return
  }
  if ('entries' in coming) {
    if (coming.entries <= kept.entries) return
    if (coming.entries > entriesMax) throw full(run, `${String(entriesMax)} entries`)
    // What comes moves there one day.
    if (kept.historyBytes > blobBytesMax) throw full(run, inBucket(blobBytesMax))
  } else if (coming.blobs.length > 0) {
    const bytes = coming.blobs.reduce((sum, blob) => sum + blob.bytes, kept.blobBytes + kept.historyBytes)
    if (bytes > blobBytesMax) throw full(run, inBucket(blobBytesMax))
  }
  if (kept.bytes > bytesMax) throw full(run, `${String(bytesMax)} bytes`)
}

/** The error for another run of a tenant that has as many as it may. */
export function noPlace(run: RunId, runsMax: number): WaystoneError {
  return new WaystoneError(
    'limit_exceeded',
    `run ${run} was not taken: at most ${String(runsMax)} runs may be at the edge, and so many are. Delete some that have ended, or go on here`,
    { run },
  )
}

function inBucket(bytesMax: number): string {
  return `${String(bytesMax)} bytes of history and of blobs of 64 KiB and more`
}

function full(run: RunId, what: string): WaystoneError {
  return new WaystoneError(
    'limit_exceeded',
    `run ${run} may have at most ${what} at the edge: keep less of its history (\`retention\`), or go on in a fork`,
    { run, actions: ['fork'] },
  )
}
