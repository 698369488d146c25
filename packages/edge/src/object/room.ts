import type { CatalogCalls } from '../catalog/catalog-entry.ts'
import type { RunName } from '../store/sql-run-name.ts'
import type { EdgeRun } from './edge-run.ts'
import { checkQuota, checkRuns, type Coming, type Quota } from './quota.ts'

/**
 * For so long room is kept for a blob that is on its way, in ms: a request is over long before. Then it is looked for.
 */
const keptMs = 60 * 60_000

/** What room depends on. */
export interface RoomPorts {
  readonly name: RunName
  readonly edgeRun: Pick<EdgeRun, 'keeper' | 'storage'>
  /** The bytes of the rows of the object. */
  readonly rowBytes: () => number
  readonly quota: Quota | undefined
  readonly catalog: ((tenant: string) => CatalogCalls) | undefined
  /** False until anything of the run was stored here. */
  readonly isNamed: () => boolean
  /** Throws when who asks is not let in any more. */
  readonly checkAsking: () => void
}

/** Keeps room for what a device brings. Rejects with `limit_exceeded` when that is more than the run, or its tenant, may have. */
export async function makeRoom(ports: RoomPorts, coming: Coming): Promise<void> {
  const { name, edgeRun, rowBytes, quota = {}, catalog, isNamed, checkAsking } = ports
  const { run, tenant } = name
  const { largeBlobs, settleBlobs } = edgeRun.storage
  if (quota.runsMax !== undefined && catalog && !isNamed()) {
    checkRuns(run, quota, await catalog(tenant).runs())
    checkAsking()
  }
  if ('blobs' in coming && coming.blobs.length > 0) {
    await settleBlobs(run, Date.now())
    checkAsking()
  }
  // Nothing is awaited from here on: of two that come at once each finds the other's.
  const kept = {
    entries: (edgeRun.keeper.log.fold?.head.seq ?? -1) + 1,
    bytes: rowBytes(),
    // Added up where it is asked for: a push brings entries.
    get blobBytes() {
      return largeBlobs.bytes()
    },
  }
  if ('entries' in coming) return checkQuota(run, quota, kept, coming)
  checkQuota(run, quota, kept, { blobs: coming.blobs.filter(({ hash }) => !largeBlobs.has(hash)) })
  largeBlobs.expect(coming.blobs, Date.now() + keptMs)
}
