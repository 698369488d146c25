import { fromWire, type Blobs, type Digest, type RunId } from '@waystone/core'
import { framesMax, hashesOf } from './blob-frames.ts'

/** Where the blobs of runs are. */
export interface BlobPlaces {
  /** Asks the object of a run for one of its routes. */
  readonly ask: (run: RunId, route: string, init: RequestInit) => Promise<Response>
  /** Those that are in R2. */
  readonly blobs: Pick<Blobs, 'share'>
}

/** Gives a run blobs of another one without bringing them here. Those of the hashes that neither has. */
export async function shareBlobs(
  { ask, blobs }: BlobPlaces,
  from: RunId,
  to: RunId,
  hashes: readonly Digest[],
): Promise<readonly Digest[]> {
  const missing = async (of: readonly Digest[]): Promise<readonly Digest[]> =>
    hashesOf(await json(await ask(to, 'blobs/missing', post({ hashes: of }))))
  const wanted = await missing(hashes)
  for (let at = 0; at < wanted.length; at += framesMax) {
    const some = wanted.slice(at, at + framesMax)
    const rows = await mustAnswer(await ask(from, 'blobs/rows/read', post({ hashes: some })))
    const body = await rows.arrayBuffer()
    if (body.byteLength > 0) await mustAnswer(await ask(to, 'blobs/rows', { method: 'PUT', body }))
  }
  const large = wanted.length === 0 ? [] : await missing(wanted)
  if (large.length === 0) return []
  await mustAnswer(await ask(to, 'blobs/expect', { method: 'POST' }))
  return blobs.share(from, to, large)
}

function post(body: unknown): RequestInit {
  return { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
}

async function json(response: Response): Promise<unknown> {
  return (await mustAnswer(response)).json()
}

async function mustAnswer(response: Response): Promise<Response> {
  if (response.ok) return response
  throw fromWire(await response.json())
}
