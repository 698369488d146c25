import type { RunId } from '@waystone/core'
import type { EdgeRun } from './edge-run.ts'
import { checkQuota, type Coming, type Quota } from './quota.ts'

/**
 * For so long room is kept for a blob that is on its way, in ms: a request is over long before. Then it is looked for.
 */
const keptMs = 60 * 60_000

/** What room depends on. */
export interface RoomPorts {
  readonly run: RunId
  readonly edgeRun: Pick<EdgeRun, 'keeper' | 'storage' | 'history'>
  /** The bytes of the rows of the object. */
  readonly rowBytes: () => number
  readonly quota: Quota | undefined
  /** Takes the place of the run among those of its tenant. */
  readonly takePlace: () => Promise<void>
  /** Throws when who asks is not let in any more. */
  readonly checkAsking: () => void
}

/** Keeps room for what a device brings. Rejects with `limit_exceeded` when that is more than the run, or its tenant, may have. */
export async function makeRoom(ports: RoomPorts, coming: Coming): Promise<void> {
  const { run, edgeRun, rowBytes, quota = {}, takePlace, checkAsking } = ports
  const { largeBlobs, settleBlobs } = edgeRun.storage
  await takePlace()
  if ('blobs' in coming && coming.blobs.length > 0) await settleBlobs(run, Date.now())
  checkAsking()
  // Nothing is awaited from here on: of two that come at once each finds the other's.
  const kept = {
    entries: (edgeRun.keeper.log.fold?.head.seq ?? -1) + 1,
    bytes: rowBytes(),
    historyBytes: edgeRun.history.bytes(),
    // Added up where it is asked for: a push brings entries.
    get blobBytes() {
      return largeBlobs.bytes()
    },
  }
  if (!('blobs' in coming)) return checkQuota(run, quota, kept, coming)
  checkQuota(run, quota, kept, { blobs: coming.blobs.filter(({ hash }) => !largeBlobs.has(hash)) })
  largeBlobs.expect(coming.blobs, Date.now() + keptMs)
}
