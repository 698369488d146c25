import { describe, expect, it } from 'vitest'
import type { Digest } from '../ids.ts'
import { run } from '../log/log.test-support.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import { layeredBlobs } from './layered-blobs.ts'

const bytes = utf8('what was written')
const other = utf8('something else')
const hash = digestBytes(bytes) as Digest

/** Blobs here and further away, each with what it has under the one name. */
async function layered(here: Uint8Array | undefined, there: Uint8Array | undefined) {
  const [near, far] = [memoryStorage().blobs, memoryStorage().blobs]
  if (here) await near.put(run, hash, here)
  if (there) await far.put(run, hash, there)
  return { near, blobs: layeredBlobs(near, far) }
}

describe('blobs that are here, and further away', () => {
  it('are fetched once when they are missing or damaged here', async () => {
    for (const here of [undefined, other]) {
      const { near, blobs } = await layered(here, bytes)
      expect(await blobs.get(run, hash)).toEqual(bytes)
      expect(await near.get(run, hash)).toEqual(bytes)
    }
  })

  it('are told from other bytes, which are neither given nor stored', async () => {
    for (const here of [undefined, other]) {
      const { near, blobs } = await layered(here, other)
      await expect(blobs.get(run, hash)).rejects.toMatchObject({ code: 'log_damaged', run })
      expect(await near.get(run, hash)).toEqual(here)
    }
    const { blobs } = await layered(other, undefined)
    await expect(blobs.get(run, hash)).rejects.toMatchObject({ code: 'log_damaged', run })
  })

  it('are undefined where nobody has them', async () => {
    const { blobs } = await layered(undefined, undefined)
    expect(await blobs.get(run, hash)).toBeUndefined()
  })
})
