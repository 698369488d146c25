import { otherBytes } from '../log/pack.ts'
import type { Blobs, ReadBlobs, RemoteBlobs } from '../ports/blobs.ts'
import { digestBytes } from '../state/digest.ts'

/** Blobs kept here, and fetched from further away and kept when they are missing or damaged. `get` rejects with `log_damaged` for other bytes. */
export function layeredBlobs(near: Blobs, far: RemoteBlobs): Blobs & ReadBlobs {
  return {
    checked: true,
    put: (run, hash, bytes, options) => near.put(run, hash, bytes, options),
    async get(run, hash) {
      const here = await near.get(run, hash)
      if (here && digestBytes(here) === hash) return here
      const there = await far.get(run, hash)
      if (there === undefined && here === undefined) return undefined
      if (there === undefined || digestBytes(there) !== hash) throw otherBytes(hash, run)
      // One that is there already is not written over.
      if (here) await near.remove(run, [hash])
      await near.put(run, hash, there)
      return there
    },
    missing: (run, hashes) => near.missing(run, hashes),
    share: (from, to, hashes) => near.share(from, to, hashes),
    remove: (run, hashes) => near.remove(run, hashes),
  }
}
