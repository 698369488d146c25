import { limits, parseDigest, WaystoneError, type Blobs, type Digest, type RunId } from '@waystone/core'
import { Hono } from 'hono'
import {
  framesBytesMax,
  framesMax,
  hashesBytesMax,
  hashesOf,
  joinFrames,
  splitFrames,
  type BlobFrame,
} from '../http/blob-frames.ts'
import type { BodyReader } from '../http/body.ts'
import { checkHash } from '../store/check-hash.ts'
import { rowBlobBytesMax, type RowBlobs } from '../store/row-blobs.ts'
import type { LargeBlob, SqlLargeBlobs } from '../store/sql-large-blobs.ts'
import type { Coming } from './quota.ts'

/** What the worker says of blobs in R2: their sizes, too. */
const largeBlobsBytesMax = 2 * hashesBytesMax

/** What the routes of blobs work with. */
export interface BlobRoutesPorts {
  readonly run: RunId
  readonly blobs: Blobs
  readonly rows: RowBlobs
  readonly large: SqlLargeBlobs
  readonly body: BodyReader
  /** Called when something is stored. */
  readonly used: () => void
  /** Keeps room for what comes. Rejects with `limit_exceeded` when there is none. */
  readonly makeRoom: (coming: Coming) => Promise<void>
}

/**
 * The routes of the blobs that are rows of an object. Large ones pass it by: the worker hands them to R2 and reads them
 * there. What comes over HTTP is the copy of a device that has the bytes, so it is kept cold.
 */
export function blobRoutes({ run, blobs, rows, large, body, used, makeRoom }: BlobRoutesPorts): Hono {
  const app = new Hono()
  const store = async (frames: readonly BlobFrame[]): Promise<void> => {
    for (const { hash, bytes } of frames) await checkHash(run, hash, bytes)
    await makeRoom({ blobs: [] })
    used()
    for (const { hash, bytes } of frames) await rows.put(hash, bytes, true)
  }
  app.post('/missing', async (context) =>
    context.json({
      hashes: await blobs.missing(run, hashesOf(await body.json(context.req.raw, hashesBytesMax))),
    }),
  )
  // Large blobs are about to go to R2, past this object.
  app.post('/expect', async (context) => {
    await makeRoom({ blobs: largeBlobsOf(await body.json(context.req.raw, largeBlobsBytesMax)) })
    used()
    return context.body(null, 204)
  })
  // They are there.
  app.post('/stored', async (context) => {
    for (const blob of largeBlobsOf(await body.json(context.req.raw, largeBlobsBytesMax))) large.add(blob)
    used()
    return context.body(null, 204)
  })
  app.post('/rows/read', async (context) => {
    const hashes = hashesOf(await body.json(context.req.raw, limits.entryBytesMax))
    if (hashes.length > framesMax) {
      throw new WaystoneError('request_refused', `at most ${String(framesMax)} blobs are read at once`, {
        run,
      })
    }
    const frames: BlobFrame[] = []
    for (const hash of hashes) {
      const bytes = await rows.get(hash)
      if (bytes) frames.push({ hash, bytes })
    }
    return new Response(joinFrames(frames), { headers: { 'content-type': 'application/octet-stream' } })
  })
  app.put('/rows', async (context) => {
    await store(splitFrames(await body.bytes(context.req.raw, framesBytesMax)))
    return context.body(null, 204)
  })
  app.put('/:hash', async (context) => {
    const hash = parseDigest(context.req.param('hash'))
    await store([{ hash, bytes: await body.bytes(context.req.raw, rowBlobBytesMax) }])
    return context.body(null, 204)
  })
  app.get('/:hash', async (context) => {
    const hash = parseDigest(context.req.param('hash'))
    const bytes = await rows.get(hash)
    if (bytes === undefined) throw blobMissing(run, hash)
    return new Response(bytes, { headers: blobHeaders(bytes.byteLength) })
  })
  return app
}

/** The headers of an answer that is a blob. */
export function blobHeaders(bytes: number): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-length': String(bytes),
    'cache-control': 'private, immutable, max-age=31536000',
    vary: 'authorization',
  }
}

/** The error for a blob that is not at the edge. */
export function blobMissing(run: RunId, hash: Digest): WaystoneError {
  return new WaystoneError('blob_missing', `run ${run} has no blob ${hash} here`, { run })
}

function largeBlobsOf(body: unknown): readonly LargeBlob[] {
  if (!Array.isArray(body)) throw new WaystoneError('request_refused', 'expected a list of blobs')
  return (body as readonly Record<string, unknown>[]).map(({ hash, bytes }) => {
    if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0)
      throw new WaystoneError('request_refused', `expected the bytes of blob ${String(hash)} as a number`)
    return { hash: parseDigest(hash), bytes }
  })
}
