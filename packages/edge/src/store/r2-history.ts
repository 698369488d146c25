import { WaystoneError, type HistoryObjects, type RunId } from '@waystone/core'
import { blobFolder } from './tenant-names.ts'

/**
 * The history of a tenant's runs in an R2 bucket, beside the blobs of each run, so that it is deleted with them. Names are
 * hashes of what they name: nothing is ever written twice with other bytes.
 */
export function r2History(bucket: R2Bucket, tenant: string): HistoryObjects {
  const keyOf = (run: RunId, hash: string): string => `${blobFolder(tenant, run)}history/${hash}`
  const asked = async <T>(run: RunId, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      throw new WaystoneError('storage_failed', `the history of run ${run} cannot be reached in R2`, {
        run,
        cause,
        actions: ['retry'],
      })
    }
  }
  return {
    async put(run, hash, bytes) {
      // R2 itself refuses a body that does not have this hash.
      await asked(run, () => bucket.put(keyOf(run, hash), bytes, { sha256: hash }))
    },
    get: (run, hash, range) =>
      asked(run, async () => {
        const object = await bucket.get(keyOf(run, hash), { range })
        return object ? new Uint8Array(await object.arrayBuffer()) : undefined
      }),
    remove: (run, hash) => asked(run, () => bucket.delete(keyOf(run, hash))),
  }
}
