import { digestBytes, limits, parseDigest, type Blobs } from '@waystone/core'
import { blobOf, listOf, noiseOf, run } from './blobs-fixtures.ts'
import { blobsOfRunsCases } from './blobs-of-runs-cases.ts'
import type { Case } from './case.ts'
import { expectBytes, expectCode, expectEqual } from './expect.ts'

/** The contract of `Blobs`. */
export const blobsCases: readonly Case<Blobs>[] = [
  ...[0, 1, 65_535, 65_536, 1_000_000].map((size) => ({
    name: `put() keeps ${String(size)} bytes`,
    run: async (subject: () => Promise<Blobs>) => {
      const blobs = await subject()
      const { bytes, hash } = blobOf(size)
      await blobs.put(run, hash, bytes)
      expectBytes(listOf(await blobs.get(run, hash)), [bytes], 'the blob')
    },
  })),
  ...[0, 1, 5_000, 65_535, 65_536, 1_000_000].map((size) => ({
    name: `put() of a cold blob keeps ${String(size)} bytes, whether they get smaller or not`,
    run: async (subject: () => Promise<Blobs>) => {
      const blobs = await subject()
      for (const { bytes, hash } of [blobOf(size), noiseOf(size)]) {
        await blobs.put(run, hash, bytes, { cold: true })
        expectBytes(listOf(await blobs.get(run, hash)), [bytes], 'the cold blob')
        await blobs.put(run, hash, bytes)
        await blobs.put(run, hash, bytes, { cold: true })
        expectBytes(listOf(await blobs.get(run, hash)), [bytes], 'the blob')
      }
    },
  })),
  {
    name: 'put() of a blob that is there changes nothing',
    async run(subject) {
      const blobs = await subject()
      const { bytes, hash } = blobOf(1_000)
      await Promise.all([blobs.put(run, hash, bytes), blobs.put(run, hash, bytes)])
      await blobs.put(run, hash, bytes)
      expectBytes(listOf(await blobs.get(run, hash)), [bytes], 'the blob')
    },
  },
  {
    name: 'put() takes the bytes as they are when it is called, get() gives bytes that the caller owns',
    async run(subject) {
      const blobs = await subject()
      const { bytes, hash } = blobOf(1_000)
      const whole = new Uint8Array(3_000)
      whole.set(bytes, 1_000)
      const putting = blobs.put(run, hash, whole.subarray(1_000, 2_000))
      whole.fill(0)
      await putting
      const owned = await blobs.get(run, hash)
      owned?.fill(0)
      expectBytes(listOf(await blobs.get(run, hash)), [bytes], 'the blob')
    },
  },
  {
    name: 'put() keeps a blob of exactly the largest size',
    async run(subject) {
      const blobs = await subject()
      const bytes = new Uint8Array(limits.blobBytesMax)
      bytes.set([1, 2, 3], bytes.byteLength - 3)
      const hash = parseDigest(digestBytes(bytes))
      await blobs.put(run, hash, bytes)
      const found = await blobs.get(run, hash)
      expectEqual(found?.byteLength, bytes.byteLength, 'its size')
      expectEqual(found && digestBytes(found), hash, 'the digest of what came back')
    },
  },
  {
    name: 'put() refuses a blob over the limit',
    async run(subject) {
      const blobs = await subject()
      const hash = parseDigest('0'.repeat(64))
      await expectCode(
        blobs.put(run, hash, new Uint8Array(limits.blobBytesMax + 1)),
        'too_large',
        'a blob over the limit',
      )
      expectEqual(await blobs.missing(run, [hash]), [hash], 'the missing ones')
    },
  },
  {
    name: 'get() of a blob that is not there is undefined',
    async run(subject) {
      const blobs = await subject()
      expectEqual(await blobs.get(run, blobOf(10).hash), undefined, 'the blob')
    },
  },
  {
    name: 'missing() names those that are not stored, in order',
    async run(subject) {
      const blobs = await subject()
      const all = [1, 2, 3, 4, 5].map(blobOf)
      for (const { bytes, hash } of [all[1], all[3]].flatMap(listOf)) await blobs.put(run, hash, bytes)
      const hashes = all.map(({ hash }) => hash)
      expectEqual(await blobs.missing(run, hashes), [hashes[0], hashes[2], hashes[4]], 'the missing ones')
      expectEqual(await blobs.missing(run, []), [], 'the missing ones of none')
    },
  },
  ...blobsOfRunsCases,
]
