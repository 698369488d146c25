import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Digest } from '../ids.ts'
import type { Json } from '../json.ts'
import { decodeValue, encodeValue, type Value } from '../state/codec.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import { chunksIn, pack, packForEntry, unpack, type Chunk, type PackCache } from './pack.ts'

/** Packs and keeps the chunks, as a store would. */
function packed(
  value: Value,
  size = 400,
  cache?: PackCache,
): { readonly json: Json; readonly chunks: Map<Digest, Uint8Array> } {
  const chunks = new Map<Digest, Uint8Array>()
  const packing = pack({ state: { value } }, size, cache)
  for (let next = packing.next(); ; next = packing.next()) {
    if (next.done) return { json: next.value, chunks }
    if (next.value.bytes) chunks.set(next.value.hash, next.value.bytes)
  }
}

function blobsOf(...maps: readonly ReadonlyMap<Digest, Uint8Array>[]) {
  return { get: async (_: unknown, hash: Digest) => maps.map((map) => map.get(hash)).find((bytes) => bytes) }
}

async function restored(json: Json, ...maps: readonly ReadonlyMap<Digest, Uint8Array>[]): Promise<Value> {
  const whole = (await unpack(json, 'run' as never, blobsOf(...maps))) as { readonly state: Json }
  return decodeValue(whole.state)
}

const message = (number: number): Value => ({
  role: 'user',
  number,
  text: `message ${String(number)} `.repeat(8),
})
const bytesOf = (chunks: ReadonlyMap<Digest, Uint8Array>): number =>
  [...chunks.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)

describe('pack()', () => {
  it('gives what unpack() makes into the same value again, whatever its size and shape', async () => {
    const leaf = fc.oneof(
      fc.string({ maxLength: 900 }),
      fc.double(),
      fc.bigInt(),
      fc.constant(undefined),
      fc.uint8Array({ maxLength: 900 }),
      fc.constantFrom('$', '$$', 'chunk', 'items'),
    )
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { maxLength: 30 }),
        fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$', '__proto__', 'v')), tie('tree'), {
          maxKeys: 30,
        }),
        fc.array(fc.tuple(fc.string(), tie('tree'))).map((pairs) => new Map(pairs)),
        fc.array(fc.string()).map((items) => new Set(items)),
      ),
    }))
    await fc.assert(
      fc.asyncProperty(tree, async (value) => {
        const { json, chunks } = packed(value as Value)
        const again = await restored(json, chunks)
        expect(JSON.stringify(encodeValue(again))).toBe(JSON.stringify(encodeValue(value)))
      }),
      { numRuns: 300 },
    )
  })

  it('cuts so that its packed form is small and no chunk is much larger than its size', () => {
    const value = {
      list: Array.from({ length: 3_000 }, (_, index) => message(index)),
      text: 'a b c '.repeat(20_000),
    }
    const { json, chunks } = packed(value, 4_000)
    expect(JSON.stringify(json).length).toBeLessThan(12_000)
    for (const { byteLength } of chunks.values()) expect(byteLength).toBeLessThan(4_000 * 2.6)
  })

  it.for([
    ['an item is added', (list: Value[]) => [...list, message(-1)]],
    ['the first half is dropped', (list: Value[]) => list.slice(1_500)],
    [
      'items are inserted in the middle',
      (list: Value[]) => list.toSpliced(1_000, 0, message(-1), message(-2)),
    ],
    ['an item is changed', (list: Value[]) => list.with(700, { changed: true })],
  ] as const)('writes few chunks anew when %s', ([, change]) => {
    const list = Array.from({ length: 3_000 }, (_, index) => message(index))
    const before = packed({ list }, 4_000)
    const after = packed({ list: change(list) }, 4_000)
    const fresh = new Map([...after.chunks].filter(([hash]) => !before.chunks.has(hash)))
    expect(bytesOf(before.chunks)).toBeGreaterThan(400_000)
    // The chunk that changed, one beside it, and the list of all chunks.
    expect(bytesOf(fresh)).toBeLessThan(30_000)
  })

  it('writes few chunks anew when a word of a text is changed', () => {
    const words = Array.from({ length: 40_000 }, (_, index) => `word${String(index)}`)
    const before = packed({ text: words.join(' ') }, 4_000)
    const after = packed({ text: words.with(20_000, 'another').join(' ') }, 4_000)
    const fresh = new Map([...after.chunks].filter(([hash]) => !before.chunks.has(hash)))
    expect(bytesOf(fresh)).toBeLessThan(25_000)
  })

  it('does not encode again what was packed before', async () => {
    const cache: PackCache = new WeakMap()
    const list = Array.from({ length: 1_000 }, (_, index) => message(index))
    const first = packed({ list, count: 1 }, 8_000, cache)
    const second = packed({ list, count: 2 }, 8_000, cache)
    expect(second.chunks.size).toBe(0)
    expect(await restored(second.json, first.chunks)).toEqual({ list, count: 2 })
  })

  it('takes larger chunks when one entry could not name them all', () => {
    const list = Array.from({ length: 30_000 }, (_, index) => message(index))
    const packing = packForEntry((chars) => pack({ state: { value: list } }, chars), 1_000)
    const seen: Chunk[] = []
    for (let next = packing.next(); ; next = packing.next()) {
      if (!next.done) {
        seen.push(next.value)
        continue
      }
      expect(next.value.chars).toBeGreaterThan(1_000)
      expect(next.value.chunks.length).toBeLessThanOrEqual(700)
      expect(seen.map(({ hash }) => hash)).toEqual(expect.arrayContaining([...next.value.chunks]))
      return
    }
  })
})

describe('pack() of JSON', () => {
  it('looks at what is nested deeply a few times, not once for each level', () => {
    let looks = 0
    let json: Json = Object.defineProperty({}, 'deepest', { enumerable: true, get: () => (looks += 1) })
    for (let level = 0; level < 400; level += 1) json = { text: 'x'.repeat(1_000), inner: json }
    const packing = pack({ state: { json } })
    while (!packing.next().done);
    expect(looks).toBeGreaterThan(0)
    expect(looks).toBeLessThan(20)
  })
})

describe('unpack()', () => {
  it('names the chunk that is missing, and the one that has other bytes', async () => {
    const { json, chunks } = packed(Array.from({ length: 100 }, (_, index) => message(index)))
    const [hash, bytes] = [...chunks][0] as [Digest, Uint8Array]
    expect(chunksIn(json).length).toBeGreaterThan(0)
    chunks.delete(hash)
    await expect(restored(json, chunks)).rejects.toMatchObject({
      code: 'blob_missing',
      details: { hashes: [hash] },
    })
    chunks.set(hash, bytes.with(3, (bytes[3] as number) ^ 1))
    await expect(restored(json, chunks)).rejects.toMatchObject({
      code: 'log_damaged',
      details: { hashes: [hash] },
    })
  })

  it('refuses chunks that name each other until they would fill any memory, before it makes anything of them', async () => {
    const chunks = new Map<Digest, Uint8Array>()
    const put = (json: Json): Digest => {
      const bytes = utf8(JSON.stringify(json))
      const hash = digestBytes(bytes) as Digest
      chunks.set(hash, bytes)
      return hash
    }
    let hash = put(['a', 'b'])
    for (let level = 0; level < 60; level += 1) hash = put({ $: 'items', v: [hash, hash] })
    await expect(restored({ $: 'items', v: [hash] }, chunks)).rejects.toMatchObject({ code: 'log_damaged' })
  })
})
