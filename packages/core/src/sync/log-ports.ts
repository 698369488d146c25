import type { LogPorts } from '../log/run-log.ts'
import type { Encryption } from '../ports/cipher.ts'
import type { Clock } from '../ports/clock.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { layeredBlobs } from './layered-blobs.ts'
import type { Edge } from './syncer.ts'

/** What a log is kept in on a device; blobs that are only at the edge are fetched from there. */
export function logPorts(
  { store, snapshots, blobs }: Pick<RunStorage, 'store' | 'snapshots' | 'blobs'>,
  clock: Clock,
  edge: Edge | undefined,
  encryption: Pick<Encryption, 'cipher' | 'only'> | undefined,
): LogPorts {
  const all = edge ? layeredBlobs(blobs, edge.blobs) : blobs
  return {
    store,
    snapshots,
    blobs: all,
    now: () => clock.now(),
    cipher: encryption?.cipher,
    onlySealed: encryption?.only,
  }
}
