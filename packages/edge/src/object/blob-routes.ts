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
import { readBody, readJson } from '../http/body.ts'
import { wrongHash } from '../store/r2-blobs.ts'
import { rowBlobBytesMax, type RowBlobs } from '../store/row-blobs.ts'
import type { LargeBlob, SqlLargeBlobs } from '../store/sql-large-blobs.ts'
import type { Coming } from './quota.ts'

/** What the routes of blobs work with. */
export interface BlobRoutesPorts {
  readonly run: RunId
  readonly blobs: Blobs
  readonly rows: RowBlobs
  readonly large: SqlLargeBlobs
  /** Called when something is stored. */
  readonly used: () => void
  /** Rejects with `limit_exceeded` when there is no room for another. */
  readonly checkRoom: (coming: Coming) => Promise<void>
}

/**
 * The routes of the blobs that are rows of an object. Large ones pass it by: the worker hands them to R2 and reads them
 * there. What comes over HTTP is the copy of a device that has the bytes, so it is kept cold.
 */
export function blobRoutes({ run, blobs, rows, large, used, checkRoom }: BlobRoutesPorts): Hono {
  const app = new Hono()
  const store = async (frames: readonly BlobFrame[]): Promise<void> => {
    for (const { hash, bytes } of frames) if ((await sha256(bytes)) !== hash) throw wrongHash(run, hash)
    await checkRoom({ blobBytes: 0 })
    used()
    for (const { hash, bytes } of frames) await rows.put(hash, bytes, true)
  }
  app.post('/missing', async (context) =>
    context.json({
      hashes: await blobs.missing(run, hashesOf(await readJson(context.req.raw, hashesBytesMax))),
    }),
  )
  // Large blobs are about to go to R2, past this object. Of one it is known which, and how many bytes it has.
  app.post('/expect', async (context) => {
    const { hash, bytes } = context.req.query()
    const isNew = hash !== undefined && !large.has(parseDigest(hash))
    await checkRoom({ blobBytes: isNew ? Number(bytes) : 0 })
    used()
    return context.body(null, 204)
  })
  // They are there.
  app.post('/stored', async (context) => {
    for (const blob of (await readJson(context.req.raw, hashesBytesMax)) as readonly LargeBlob[])
      large.add(blob)
    used()
    return context.body(null, 204)
  })
  app.post('/rows/read', async (context) => {
    const hashes = hashesOf(await readJson(context.req.raw, limits.entryBytesMax))
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
    await store(splitFrames(await readBody(context.req.raw, framesBytesMax)))
    return context.body(null, 204)
  })
  app.put('/:hash', async (context) => {
    const hash = parseDigest(context.req.param('hash'))
    await store([{ hash, bytes: await readBody(context.req.raw, rowBlobBytesMax) }])
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

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
