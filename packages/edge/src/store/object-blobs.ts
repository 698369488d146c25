import type { Blobs } from '@waystone/core'
import { rowBlobBytesMax, type RowBlobs } from './row-blobs.ts'

/**
 * The blobs of the run of an object: small ones are rows, the others in R2. Their size says which, so that each has one
 * place; from before blobs were rows there may be small ones in R2.
 */
export function objectBlobs(rows: RowBlobs, large: Blobs): Blobs {
  return {
    put: (run, hash, bytes, { cold = false } = {}) =>
      bytes.byteLength > rowBlobBytesMax ? large.put(run, hash, bytes) : rows.put(hash, bytes, cold),
    get: async (run, hash) => (await rows.get(hash)) ?? large.get(run, hash),
    missing: (run, hashes) => large.missing(run, rows.missing(hashes)),
    // The rows of another run are in its object, which is out of reach from here: the worker asks both.
    share: (from, to, hashes) => large.share(from, to, rows.missing(hashes)),
    async remove(run, hashes) {
      const others = rows.missing(hashes)
      rows.remove(hashes)
      await large.remove(run, others)
    },
  }
}
