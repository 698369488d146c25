import { limits, WaystoneError, type Blobs, type Digest, type RunId } from '@waystone/core'

/** Blobs of runs in an R2 bucket, by run and hash: never a head, since R2 takes one write a second to a key. */
export function r2Blobs(bucket: R2Bucket): Blobs {
  return {
    async put(run, hash, bytes) {
      if (bytes.byteLength > limits.blobBytesMax) {
        throw new WaystoneError(
          'too_large',
          `a blob has at most ${String(limits.blobBytesMax)} bytes, found ${String(bytes.byteLength)}`,
          { run },
        )
      }
      try {
        // R2 itself refuses a body that does not have this hash.
        await bucket.put(blobKey(run, hash), bytes, { sha256: hash })
      } catch (cause) {
        throw new WaystoneError(
          'request_refused',
          `blob ${hash} of run ${run} was not stored: are these the bytes with this SHA-256?`,
          { run, cause },
        )
      }
    },
    async get(run, hash) {
      const object = await bucket.get(blobKey(run, hash))
      return object ? new Uint8Array(await object.arrayBuffer()) : undefined
    },
    async missing(run, hashes) {
      const found = await Promise.all(hashes.map((hash) => bucket.head(blobKey(run, hash))))
      return hashes.filter((_, index) => found[index] === null)
    },
  }
}

/** Where a blob is in the bucket. */
export function blobKey(run: RunId, hash: Digest): string {
  return `runs/${run}/${hash}`
}
