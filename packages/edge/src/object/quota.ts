import { WaystoneError, type RunId } from '@waystone/core'

/** How much one run may keep in its object. What is there already stays; the edge's own host is not held up by it. */
export interface Quota {
  /** Default a million. */
  readonly entriesMax?: number
  /** Of its rows, in bytes; default 1 GiB. An object has 10 GB (2026). */
  readonly bytesMax?: number
}

const entriesMaxDefault = 1_000_000
const bytesMaxDefault = 1024 ** 3

/** What there is of a run before more of it comes from a device. */
export interface Kept {
  readonly entries: number
  readonly bytes: number
}

/**
 * Throws `limit_exceeded` when a device may not bring a run to so many entries, or store a blob of it. What is stored already
 * may be sent again.
 */
export function checkQuota(run: RunId, quota: Quota, kept: Kept, wanted = Infinity): void {
  const { entriesMax = entriesMaxDefault, bytesMax = bytesMaxDefault } = quota
  if (wanted <= kept.entries) return
  if (wanted !== Infinity && wanted > entriesMax) throw full(run, `${String(entriesMax)} entries`)
  if (kept.bytes > bytesMax) throw full(run, `${String(bytesMax)} bytes`)
}

function full(run: RunId, what: string): WaystoneError {
  return new WaystoneError(
    'limit_exceeded',
    `run ${run} may have at most ${what} at the edge: keep less of its history (\`retention\`), or go on in a fork`,
    { run, actions: ['fork'] },
  )
}
