import {
  checkBlobSize,
  isDigest,
  parseDigest,
  WaystoneError,
  type Blobs,
  type Digest,
  type RunId,
} from '@waystone/core'
import { wrongHash } from './check-hash.ts'
import type { BlobCount } from './sql-large-blobs.ts'
import { blobFolder } from './tenant-names.ts'

/** More hashes than this are looked for in a list of all, which costs as much as 12 single looks and pages at 1,000. */
const headsMax = 50
/** How many keys one deletion may name. */
const deletedMax = 1_000
/** How many blobs are copied at a time. */
const copiesMax = 4
/** How often R2 is asked to take a blob, and the wait before the second time, in ms: twice as long each time. */
const putsMax = 4
const waitMsMin = 200
/** What R2 says of a body that does not have the hash that it was put with. */
const wrongHashCode = '(10037)'

/**
 * Blobs of a tenant's runs in an R2 bucket, by run and hash: never a head, since R2 takes one write a second to a key. `count` hears
 * of what is put and removed, once it is.
 */
export function r2Blobs(bucket: R2Bucket, tenant: string, count?: BlobCount): Blobs {
  const keyOf = (run: RunId, hash: Digest): string => blobKey(tenant, run, hash)
  const blobs: Blobs = {
    async put(run, hash, bytes) {
      checkBlobSize(run, bytes)
      // R2 itself refuses a body that does not have this hash.
      await putUntilTaken(run, hash, () => bucket.put(keyOf(run, hash), bytes, { sha256: hash }))
      count?.add({ hash, bytes: bytes.byteLength })
    },
    async get(run, hash) {
      const object = await bucket.get(keyOf(run, hash))
      return object ? new Uint8Array(await object.arrayBuffer()) : undefined
    },
    async missing(run, hashes) {
      const found = await blobSizes(bucket, tenant, run, hashes)
      return hashes.filter((hash) => !found.has(hash))
    },
    async share(from, to, hashes) {
      const wanted = [...(await blobs.missing(to, hashes))]
      const absent = new Set<Digest>()
      while (wanted.length > 0) {
        await Promise.all(
          wanted.splice(0, copiesMax).map(async (hash) => {
            const copy = () => copied(bucket, keyOf(from, hash), keyOf(to, hash), hash)
            const bytes = await putUntilTaken(to, hash, copy)
            if (bytes === undefined) absent.add(hash)
            else count?.add({ hash, bytes })
          }),
        )
      }
      return hashes.filter((hash) => absent.has(hash))
    },
    async remove(run, hashes) {
      const keys = hashes.map((hash) => keyOf(run, hash))
      while (keys.length > 0) await bucket.delete(keys.splice(0, deletedMax))
      count?.remove(hashes)
    },
  }
  return blobs
}

/** Where a blob is in the bucket. */
export function blobKey(tenant: string, run: RunId, hash: Digest): string {
  return `${blobFolder(tenant, run)}${hash}`
}

/** Those of the blobs that a run has in the bucket, and how many bytes each has. */
export async function blobSizes(
  bucket: R2Bucket,
  tenant: string,
  run: RunId,
  hashes: readonly Digest[],
): Promise<ReadonlyMap<Digest, number>> {
  const sizes = new Map<Digest, number>()
  if (hashes.length <= headsMax) {
    const found = await Promise.all(hashes.map((hash) => bucket.head(blobKey(tenant, run, hash))))
    for (const [at, hash] of hashes.entries()) if (found[at]) sizes.set(hash, found[at].size)
    return sizes
  }
  const wanted = new Set(hashes.map((hash) => blobKey(tenant, run, hash)))
  const prefix = blobFolder(tenant, run)
  for await (const objects of listedPages(bucket, prefix))
    for (const { key, size } of objects)
      if (wanted.has(key)) sizes.set(parseDigest(key.slice(prefix.length)), size)
  return sizes
}

async function* listedPages(bucket: R2Bucket, prefix: string): AsyncGenerator<readonly R2Object[], void> {
  for (let cursor: string | undefined; ;) {
    const page = await bucket.list({ prefix, ...(cursor === undefined ? {} : { cursor }) })
    yield page.objects
    if (!page.truncated) return
    cursor = page.cursor
  }
}

/** The blobs of a run, by pages; its history, which is beside them, is none. */
export async function* listBlobs(
  bucket: R2Bucket,
  tenant: string,
  run: RunId,
): AsyncGenerator<readonly Digest[], void> {
  const prefix = blobFolder(tenant, run)
  for await (const objects of listedPages(bucket, prefix))
    yield objects.map(({ key }) => key.slice(prefix.length)).filter(isDigest)
}

/** Some of the blobs that were put before a time, in ms since 1970, and when the first of the others was. */
export async function oldBlobs(
  bucket: R2Bucket,
  folder: string,
  before: number,
  count: number,
): Promise<{ readonly old: readonly Digest[]; readonly next: number | undefined }> {
  const old: Digest[] = []
  let next: number | undefined
  for await (const objects of listedPages(bucket, folder)) {
    for (const { key, uploaded } of objects) {
      const hash = key.slice(folder.length)
      if (!isDigest(hash)) continue
      const time = uploaded.getTime()
      if (time <= before) old.push(hash)
      else next = Math.min(next ?? Infinity, time)
    }
    if (old.length >= count) break
  }
  return { old, next }
}

/**
 * Puts a blob, and again when R2 fails. Rejects with `request_refused` for bytes that do not have this hash, and with `storage_failed`
 * when R2 did not take it in the end.
 */
async function putUntilTaken<T>(run: RunId, hash: Digest, put: () => Promise<T>): Promise<T> {
  for (let puts = 1, waitMs = waitMsMin; ; puts += 1, waitMs *= 2) {
    try {
      return await put()
    } catch (cause) {
      if (cause instanceof Error && cause.message.includes(wrongHashCode)) throw wrongHash(run, hash, cause)
      if (puts === putsMax) throw notTaken(run, hash, cause)
    }
    await scheduler.wait(waitMs)
  }
}

function notTaken(run: RunId, hash: Digest, cause: unknown): WaystoneError {
  return new WaystoneError('storage_failed', `blob ${hash} of run ${run} cannot be stored in R2`, {
    run,
    cause,
    actions: ['retry'],
  })
}

/** Copies a blob, of which R2 checks the hash once more. How many bytes it has; undefined when there is none. */
async function copied(bucket: R2Bucket, from: string, to: string, hash: Digest): Promise<number | undefined> {
  const object = await bucket.get(from)
  if (object === null) return undefined
  await bucket.put(to, object.body, { sha256: hash })
  return object.size
}

/** Removes all blobs of a run. */
export async function clearBlobs(bucket: R2Bucket, tenant: string, run: RunId): Promise<void> {
  const prefix = blobFolder(tenant, run)
  for (;;) {
    const { objects } = await bucket.list({ prefix })
    if (objects.length === 0) return
    await bucket.delete(objects.map(({ key }) => key))
  }
}
