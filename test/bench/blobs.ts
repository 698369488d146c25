import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  digestBytes,
  parseDigest,
  readArtifact,
  storeArtifact,
  type ArtifactBlobs,
  type RunId,
} from '@waystone/core'
import { sqliteStorage } from '@waystone/node'
import { atMost, report, round } from './_report.ts'

// An artifact of 200 MB of which one megabyte changes: what is stored then, what would be sent to the edge, and how much
// memory it takes, beside the memory of a process that does nothing.

const mega = 1024 * 1024
const size = 200
const run = 'bench' as RunId
/** The aim of issue "A checkpoint costs what changed": about one megabyte. */
const storedMax = 1.1

/** Bytes that do not repeat, made piece by piece. */
async function* weights(): AsyncGenerator<Uint8Array, void> {
  for (let piece = 0; piece < size * 4; piece += 1) {
    const bytes = new Uint32Array(mega / 16)
    for (let index = 0; index < bytes.length; index += 1)
      bytes[index] = Math.imul(piece * bytes.length + index + 1, 0x9e3779b1)
    yield new Uint8Array(bytes.buffer)
  }
}

const folder = await mkdtemp(join(tmpdir(), 'waystone-blobs-'))
const file = join(folder, 'bench.sqlite')
const storage = sqliteStorage(file)
let stored = 0
const blobs: ArtifactBlobs = {
  async putBlob(bytes) {
    const hash = parseDigest(digestBytes(bytes))
    const [missing] = await storage.blobs.missing(run, [hash])
    if (missing !== undefined) stored += bytes.byteLength
    await storage.blobs.put(run, hash, bytes)
    return hash
  },
  getBlob: (hash) => storage.blobs.get(run, hash),
}
const rest = process.memoryUsage.rss()

const from = performance.now()
const { handle } = await storeArtifact(blobs, { name: 'weights', content: weights() })
const writeMs = performance.now() - from
const first = stored
stored = 0
const begun = performance.now()
const change = new Uint8Array(mega).fill(7)
const edited = await storeArtifact(blobs, {
  name: 'weights',
  content: { base: handle, at: 77 * mega, bytes: change },
})
const editMs = performance.now() - begun
const again = await readArtifact(blobs, edited.handle, { from: 77 * mega, to: 78 * mega })
if (!again.every((byte) => byte === 7)) throw new Error('it was not read as it was written')
// The most that the process has had, in KiB.
const peak = process.resourceUsage().maxRSS * 1024
await storage.store.close()
const { size: diskBytes } = await stat(file)
await rm(folder, { recursive: true })

const memoryMb = round((peak - rest) / mega)
const editedMb = round(stored / mega)
report(
  [
    `${String(size)} MB written in ${writeMs.toFixed(0)} ms: ${(first / mega).toFixed(1)} MB stored, ${(diskBytes / mega).toFixed(0)} MB on disk after the edit`,
    `1 MB of it changed in ${editMs.toFixed(0)} ms: ${editedMb.toFixed(2)} MB stored, which is what goes to the edge`,
    `${memoryMb.toFixed(0)} MB of memory at most, beyond the ${(rest / mega).toFixed(0)} MB of the process at rest`,
  ],
  {
    name: 'blobs',
    artifactMb: size,
    writeMs: round(writeMs),
    editMs: round(editMs),
    storedMb: round(first / mega),
    editedMb,
    memoryMb,
    aims: [atMost('stored for one changed megabyte of 200', editedMb, storedMax, 'MB')],
  },
)
