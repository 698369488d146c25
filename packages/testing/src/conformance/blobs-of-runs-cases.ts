import { parseRunId, type Blobs } from '@waystone/core'
import { blobOf, listOf, other, run, smallBlob, type TestBlob } from './blobs-fixtures.ts'
import type { Case } from './case.ts'
import { expectBytes, expectEqual } from './expect.ts'

/** Some of every size that a store may tell apart. */
const some = [0, 1_000, 65_535, 65_536, 200_000].map((size) => blobOf(size))
const hashes = some.map(({ hash }) => hash)

/** That each run has blobs of its own. */
export const blobsOfRunsCases: readonly Case<Blobs>[] = [
  {
    name: 'blobs of runs are apart',
    async run(subject) {
      const blobs = await subject()
      await putAll(blobs, some)
      expectEqual(await blobs.missing(other, hashes), hashes, 'what the other run misses')
      for (const { hash } of some) expectEqual(await blobs.get(other, hash), undefined, 'a blob of the other')
      await putAll(blobs, some.slice(1, 4), other)
      expectEqual(await blobs.missing(other, hashes), [hashes[0], hashes[4]], 'what the other run misses')
      await expectAll(blobs, some.slice(1, 4), other)
    },
  },
  {
    name: 'share() gives a run the blobs of another, and lists those that neither has',
    async run(subject) {
      const blobs = await subject()
      const own = smallBlob(1)
      const nobody = smallBlob(2)
      await putAll(blobs, some)
      await putAll(blobs, [own], other)
      const asked = [own.hash, nobody.hash, ...hashes]
      expectEqual(await blobs.share(run, other, asked), [nobody.hash], 'the absent ones')
      expectEqual(await blobs.share(run, other, asked), [nobody.hash], 'the absent ones, again')
      expectEqual(await blobs.share(run, other, []), [], 'the absent ones of none')
      expectEqual(await blobs.missing(other, asked), [nobody.hash], 'what the other run misses')
      expectEqual(await blobs.missing(run, asked), [own.hash, nobody.hash], 'what the run itself misses')
      await expectAll(blobs, some)
      await expectAll(blobs, some, other)
    },
  },
  {
    name: 'share() of cold blobs gives them byte for byte',
    async run(subject) {
      const blobs = await subject()
      for (const { hash, bytes } of some) await blobs.put(run, hash, bytes, { cold: true })
      expectEqual(await blobs.share(run, other, hashes), [], 'the absent ones')
      await blobs.remove(run, hashes)
      await expectAll(blobs, some, other)
    },
  },
  {
    name: 'share() of an unknown run lists all that the other one misses',
    async run(subject) {
      const blobs = await subject()
      const nobody = parseRunId('nobody')
      await putAll(blobs, some.slice(0, 2))
      expectEqual(await blobs.share(nobody, run, hashes), hashes.slice(2), 'the absent ones')
    },
  },
  {
    name: 'remove() takes blobs from one run and leaves them to another',
    async run(subject) {
      const blobs = await subject()
      await putAll(blobs, some)
      await blobs.share(run, other, hashes.slice(0, 3))
      await putAll(blobs, some.slice(3), other)
      await blobs.remove(run, hashes)
      expectEqual(await blobs.missing(run, hashes), hashes, 'what the run misses')
      expectEqual(await blobs.get(run, hashes[1] as TestBlob['hash']), undefined, 'a removed blob')
      await expectAll(blobs, some, other)
      await blobs.remove(other, hashes.slice(1))
      expectEqual(await blobs.missing(other, hashes), hashes.slice(1), 'what the other run misses')
      await expectAll(blobs, some.slice(0, 1), other)
    },
  },
  {
    name: 'remove() of blobs that are not there is harmless, and names only what it removes',
    async run(subject) {
      const blobs = await subject()
      await blobs.remove(run, hashes)
      await putAll(blobs, some)
      await blobs.remove(run, [])
      await blobs.remove(run, [smallBlob(1).hash, ...hashes.slice(2, 4)])
      await blobs.remove(run, hashes.slice(2, 4))
      expectEqual(await blobs.missing(run, hashes), hashes.slice(2, 4), 'the missing ones')
    },
  },
  {
    name: 'put() and share() bring back what was removed',
    async run(subject) {
      const blobs = await subject()
      await putAll(blobs, some)
      await blobs.remove(run, hashes)
      await putAll(blobs, some)
      await expectAll(blobs, some)
      await blobs.share(run, other, hashes)
      await blobs.remove(run, hashes)
      expectEqual(await blobs.share(other, run, hashes), [], 'the absent ones')
      await expectAll(blobs, some)
    },
  },
  {
    name: 'remove() beside put() and share() of another run leaves that run its blobs',
    async run(subject) {
      const blobs = await subject()
      const third = parseRunId('third')
      for (let round = 0; round < 10; round += 1) {
        await putAll(blobs, some)
        await blobs.share(run, other, hashes)
        const [, , absent] = await Promise.all([
          blobs.remove(run, hashes),
          putAll(blobs, some, third),
          blobs.share(run, other, hashes),
        ])
        expectEqual(absent, [], 'the absent ones')
        await expectAll(blobs, some, other)
        await expectAll(blobs, some, third)
        await blobs.remove(third, hashes)
      }
    },
  },
  {
    name: 'missing(), share() and remove() take 1,001 hashes at once',
    async run(subject) {
      const blobs = await subject()
      const many = Array.from({ length: 1_001 }, (_, number) => smallBlob(number))
      const all = many.map(({ hash }) => hash)
      expectEqual(await blobs.missing(run, all), all, 'what the run misses at first')
      for (let from = 0; from < many.length; from += 50)
        await Promise.all(many.slice(from, from + 50).map((one) => putAll(blobs, [one])))
      expectEqual(await blobs.missing(run, all), [], 'what the run misses')
      expectEqual(await blobs.share(run, other, all), [], 'the absent ones')
      await blobs.remove(run, all)
      expectEqual(await blobs.missing(run, all), all, 'what the run misses at last')
      expectEqual(await blobs.missing(other, all), [], 'what the other run misses')
    },
  },
]

async function putAll(blobs: Blobs, all: readonly TestBlob[], of = run): Promise<void> {
  for (const { hash, bytes } of all) await blobs.put(of, hash, bytes)
}

async function expectAll(blobs: Blobs, all: readonly TestBlob[], of = run): Promise<void> {
  for (const { hash, bytes } of all)
    expectBytes(listOf(await blobs.get(of, hash)), [bytes], `blob ${hash} of run ${of}`)
}
