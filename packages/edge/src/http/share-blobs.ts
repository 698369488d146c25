import { fromWire, type Blobs, type Digest, type RunId } from '@waystone/core'
import type { LargeBlob } from '../store/sql-large-blobs.ts'
import { framesMax, hashesOf } from './blob-frames.ts'

/** Where the blobs of runs are. */
export interface BlobPlaces {
  /** Asks the object of a run for one of its routes. */
  readonly ask: (run: RunId, route: string, init: RequestInit) => Promise<Response>
  /** Those that are in R2. */
  readonly blobs: Pick<Blobs, 'share' | 'remove'>
  /** Those of the hashes that a run has in R2, and how many bytes each has. */
  readonly sizes: (run: RunId, hashes: readonly Digest[]) => Promise<ReadonlyMap<Digest, number>>
  /** Those that `blobs` has put there so far. */
  readonly stored: readonly LargeBlob[]
}

/** Gives a run blobs of another one without bringing them here. Those of the hashes that neither has. */
export async function shareBlobs(
  { ask, blobs, sizes, stored }: BlobPlaces,
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
  const found = await sizes(from, large)
  const coming = [...found].map(([hash, bytes]) => ({ hash, bytes }))
  if (coming.length > 0) await mustAnswer(await ask(to, 'blobs/expect', post(coming)))
  try {
    const absent = await blobs.share(from, to, [...found.keys()])
    return large.filter((hash) => !found.has(hash) || absent.includes(hash))
  } finally {
    // Also when not all of them were: asked again they are not missing any more.
    if (stored.length > 0) await tellStored()
  }

  async function tellStored(): Promise<void> {
    const taken = await ask(to, 'blobs/stored', post(stored))
    // Else it may be one that the run had before.
    if (taken.status === 410)
      await blobs.remove(
        to,
        stored.map(({ hash }) => hash),
      )
    await mustAnswer(taken)
  }
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
