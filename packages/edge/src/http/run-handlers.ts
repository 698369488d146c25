import { allows, type Grant } from '@waystone/access'
import { limits, parseDigest, parseRunId, type Blobs, type Digest, type RunId } from '@waystone/core'
import { forbidden } from '../access/asking.ts'
import { blobHeaders, blobMissing } from '../object/blob-routes.ts'
import { checkHash } from '../store/check-hash.ts'
import { blobKey, blobSizes, r2Blobs } from '../store/r2-blobs.ts'
import { rowBlobBytesMax } from '../store/row-blobs.ts'
import type { LargeBlob } from '../store/sql-large-blobs.ts'
import { hashesBytesMax, hashesOf } from './blob-frames.ts'
import { readBody, readJson } from './body.ts'
import type { AskRun } from './guard.ts'
import type { RouteName } from './routes.ts'
import { shareBlobs } from './share-blobs.ts'

/** A request about one run that was let in. */
export interface RunRequest {
  readonly request: Request
  readonly run: RunId
  /** What stands in the path where a route has `{hash}`. */
  readonly hash: string | undefined
  readonly grant: Grant
  readonly ask: AskRun
  readonly bucket: R2Bucket
  /** Has work brought to its end also when the client goes, which ends the request. */
  readonly finish: <T>(work: Promise<T>) => Promise<T>
}

/** Routes of a run that are more than a question to its object: large blobs pass it by. */
export const runHandlers: Partial<Record<RouteName, (asked: RunRequest) => Promise<Response>>> = {
  shareBlobs: shareSome,
  putBlob,
  getBlob,
}

async function shareSome({ request, run, grant, ask, bucket, finish }: RunRequest): Promise<Response> {
  const body = await readJson(request, hashesBytesMax)
  const from = parseRunId(typeof body === 'object' && body !== null && 'from' in body ? body.from : undefined)
  if (!allows(grant, from, 'fork')) throw forbidden(from, ['fork'])
  const places = {
    ask: (other: RunId, route: string, init: RequestInit): Promise<Response> =>
      ask(other, new Request(new URL(`/v1/runs/${other}/${route}`, request.url), init)),
    sizes: (of: RunId, hashes: readonly Digest[]) => blobSizes(bucket, grant.tenant, of, hashes),
    ...countedBlobs(bucket, grant.tenant),
  }
  return Response.json({ hashes: await finish(shareBlobs(places, from, run, hashesOf(body))) })
}

async function putBlob(asked: RunRequest): Promise<Response> {
  const { request, run, hash: named, grant, ask, bucket, finish } = asked
  const hash = parseDigest(named)
  const bytes = await readBody(request, limits.blobBytesMax)
  if (bytes.byteLength <= rowBlobBytesMax)
    return ask(run, new Request(request.url, { method: 'PUT', body: bytes }))
  // What is refused has left nothing anywhere.
  await checkHash(run, hash, bytes)
  const { blobs } = countedBlobs(bucket, grant.tenant)
  const body = JSON.stringify([{ hash, bytes: bytes.byteLength }])
  const tell = (what: string): Promise<Response> =>
    ask(run, new Request(new URL(`/v1/runs/${run}/blobs/${what}`, request.url), { method: 'POST', body }))
  // Known before it is there, so that it is found when all is deleted; whether the run is still there is asked afterwards.
  const expected = await tell('expect')
  if (!expected.ok) return expected
  const bring = async (): Promise<Response> => {
    await blobs.put(run, hash, bytes)
    const taken = await tell('stored')
    // Else it may be one that the run had before.
    if (taken.status === 410) await blobs.remove(run, [hash])
    return taken
  }
  return finish(bring())
}

async function getBlob({ request, run, hash: named, grant, ask, bucket }: RunRequest): Promise<Response> {
  const hash = parseDigest(named)
  const row = await ask(run, request)
  if (row.status !== 404) return row
  await row.body?.cancel()
  const object = await bucket.get(blobKey(grant.tenant, run, hash))
  if (object === null) throw blobMissing(run, hash)
  return new Response(object.body, { headers: blobHeaders(object.size) })
}

/** A tenant's blobs in R2, and what was put there by way of them: the object of the run counts it. */
function countedBlobs(
  bucket: R2Bucket,
  tenant: string,
): { readonly blobs: Blobs; readonly stored: readonly LargeBlob[] } {
  const stored: LargeBlob[] = []
  const count = { add: (blob: LargeBlob) => void stored.push(blob), remove: () => undefined }
  return { blobs: r2Blobs(bucket, tenant, count), stored }
}
