import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Digest } from '../ids.ts'
import { digestBytes } from '../state/digest.ts'
import { handleOf, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done, next } from './agent.ts'
import { readArtifact, storeArtifact, type Artifact, type ArtifactBlobs } from './artifacts.ts'

/** Blobs that count what is stored and how much is asked for at a time. */
function countingBlobs() {
  const kept = new Map<Digest, Uint8Array>()
  const counts = { put: 0, bytes: 0, got: 0 }
  const blobs: ArtifactBlobs = {
    async putBlob(bytes) {
      const hash = digestBytes(bytes) as Digest
      counts.put += 1
      if (!kept.has(hash)) counts.bytes += bytes.byteLength
      kept.set(hash, bytes.slice())
      return hash
    },
    async getBlob(hash) {
      counts.got += 1
      return kept.get(hash)?.slice()
    },
  }
  return { blobs, kept, counts }
}

const bytesOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => Math.imul(index + seed, 0x9e3779b1) >>> 24)

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void> {
  for (let at = 0, index = 0; at < bytes.byteLength; index += 1) {
    const size = Math.max(1, sizes[index % sizes.length] ?? 1)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

describe('artifacts', () => {
  it('come back as they were stored, whole or in part, however they came and were edited', async () => {
    const edit = fc.record({ at: fc.nat(400), length: fc.integer({ min: 0, max: 300 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.nat(400),
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 4 }),
        fc.array(edit, { maxLength: 4 }),
        fc.tuple(fc.nat(700), fc.nat(700)),
        async (length, sizes, edits, [from, to]) => {
          const { blobs } = countingBlobs()
          const name = 'a'
          let expected = bytesOf(length)
          let { handle } = await storeArtifact(blobs, { name, content: inPieces(expected, sizes), part: 64 })
          for (const { at, length: count } of edits) {
            const begin = Math.min(at, expected.byteLength)
            const put = bytesOf(count, 7)
            const grown = new Uint8Array(Math.max(expected.byteLength, begin + count))
            grown.set(expected)
            grown.set(put, begin)
            expected = grown
            handle = (
              await storeArtifact(blobs, { name, content: { base: handle, at: begin, bytes: put }, part: 64 })
            ).handle
          }
          expect(handle.bytes).toBe(expected.byteLength)
          expect(await readArtifact(blobs, handle)).toEqual(expected)
          expect(await readArtifact(blobs, handle, { from, to })).toEqual(
            expected.slice(from, Math.max(from, to)),
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  it('in parts: an edit stores the parts that it touches, and their list', async () => {
    const { blobs, counts } = countingBlobs()
    const mega = 1024 * 1024
    const content = inPieces(bytesOf(20 * mega), [300_000])
    const { handle, blobs: named } = await storeArtifact(blobs, { name: 'weights', content })
    expect(named).toHaveLength(21)
    counts.bytes = 0
    counts.got = 0
    const edited = await storeArtifact(blobs, {
      name: 'weights',
      content: { base: handle, at: 7 * mega, bytes: bytesOf(mega, 3) },
    })
    expect(counts.bytes).toBeLessThan(1.1 * mega)
    // The list of parts, and it again with the part that is replaced whole, which is not read byte by byte elsewhere.
    expect(counts.got).toBeLessThanOrEqual(4)
    expect(edited.handle.bytes).toBe(20 * mega)
    counts.got = 0
    expect(await readArtifact(blobs, edited.handle, { from: 8 * mega - 2, to: 8 * mega + 2 })).toHaveLength(4)
    expect(counts.got).toBe(3)
  })

  it('that cannot be had say which, and what of them', async () => {
    const { blobs, kept } = countingBlobs()
    const { handle, blobs: named } = await storeArtifact(blobs, {
      name: 'map',
      content: bytesOf(300),
      part: 100,
    })
    const part = named[2] as Digest
    const bytes = kept.get(part) as Uint8Array
    kept.set(part, bytes.with(0, (bytes[0] as number) ^ 1))
    await expect(readArtifact(blobs, handle)).rejects.toMatchObject({
      code: 'log_damaged',
      details: { artifact: 'map' },
    })
    kept.delete(part)
    await expect(readArtifact(blobs, handle)).rejects.toMatchObject({
      code: 'blob_missing',
      details: { hashes: [part] },
    })
    const tiny = storeArtifact(blobs, { name: 'map', content: bytesOf(800), part: 1 })
    await expect(tiny).rejects.toMatchObject({ code: 'too_large' })
    const gap = storeArtifact(blobs, { name: 'map', content: { base: handle, at: 301, bytes: bytesOf(1) } })
    await expect(gap).rejects.toMatchObject({ code: 'input_refused' })
  })
})

function forkedState(state: unknown): { readonly held: Artifact } {
  return state as { readonly held: Artifact }
}

describe('ctx.artifact', () => {
  const trainer = defineAgent({
    name: 'trainer',
    version: 1,
    retention: { turns: 0, age: 0 },
    initial: (input: { rounds: number }) => ({
      ...input,
      held: null as Artifact | null,
      sums: [] as number[],
      pad: '',
    }),
    async turn(ctx, state) {
      const { turn } = ctx
      const weights = await ctx.artifact(
        'weights',
        async ({ read }) => {
          const base = turn > 0 && state.held
          if (!base) return inPieces(bytesOf(40_000), [999])
          const [first] = await read(base, { from: turn * 1_000, to: turn * 1_000 + 1 })
          return { base, at: turn * 1_000, bytes: Uint8Array.of((first ?? 0) ^ 255) }
        },
        { part: 4_096, type: 'application/x-weights' },
      )
      const sum = await ctx.step('sum', async ({ read }) => (await read(weights)).reduce((a, b) => a + b, 0))
      state.held = weights
      state.sums.push(sum)
      state.pad = String(turn).repeat(70_000)
      return state.sums.length === state.rounds ? done(sum) : next()
    },
  })

  it('is streamed in, edited and read by steps, and its old versions go when nothing has them any more', async () => {
    const device = testDevice([trainer])
    const removed: Digest[] = []
    const { remove } = device.blobs
    device.blobs.remove = (run, hashes) => {
      removed.push(...hashes)
      return remove(run, hashes)
    }
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('trainer', { rounds: 12 }, { id: 'train' }))
    const sum = await run.result()
    const artifact = run.view()?.artifacts[0] as Artifact
    expect(run.view()?.artifacts).toHaveLength(1)
    expect(artifact).toMatchObject({
      name: 'weights',
      type: 'application/x-weights',
      bytes: 40_000,
      part: 4_096,
    })
    const bytes = await run.artifact(artifact)
    expect(bytes.reduce((a, b) => a + b, 0)).toBe(sum)
    expect(await run.artifact(artifact, { from: 1_000, to: 1_001 })).toEqual(bytes.slice(1_000, 1_001))
    expect(await run.missing()).toEqual([])
    expect(removed.length).toBeGreaterThan(5)
    // The last one is whole, whatever was removed.
    await device.blobs.remove('train' as never, [artifact.hash as Digest])
    expect(await run.missing()).toEqual([artifact])
  })

  it('goes along with a fork', async () => {
    const device = testDevice([trainer])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('trainer', { rounds: 2 }, { id: 'train' }))
    await run.result()
    const seq = run.entries().find(({ kind }) => kind === 'commit')?.seq ?? 0
    const fork = await handleOf(runtime, await run.fork({ seq, id: 'again' }))
    await fork.result()
    const { held } = forkedState(fork.view()?.state)
    await device.blobs.remove(
      'train' as never,
      await device.blobs.missing('other' as never, [held.hash as Digest]),
    )
    expect(await fork.artifact(held)).toHaveLength(40_000)
  })
})
