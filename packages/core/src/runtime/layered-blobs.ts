import type { Blobs } from '../ports/blobs.ts'

/** Blobs kept here, and fetched from further away and kept when they are missing. */
export function layeredBlobs(near: Blobs, far: Blobs): Blobs {
  return {
    put: (run, hash, bytes) => near.put(run, hash, bytes),
    async get(run, hash) {
      const here = await near.get(run, hash)
      if (here) return here
      const there = await far.get(run, hash)
      if (there) await near.put(run, hash, there)
      return there
    },
    missing: (run, hashes) => near.missing(run, hashes),
  }
}
