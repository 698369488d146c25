import { deflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { deflate, inflate } from './deflate.ts'
import { utf8 } from './state/digest.ts'

describe('deflate()', () => {
  it('makes texts smaller, and inflate() gives them back', async () => {
    for (const size of [200, 65_536, 3_000_000]) {
      const bytes = utf8('{"a":"the same again"}'.repeat(Math.ceil(size / 22)))
      const small = await deflate(bytes)
      expect(small?.byteLength).toBeLessThan(bytes.byteLength / 4)
      const back = await inflate(small ?? new Uint8Array())
      expect(Buffer.compare(back, bytes)).toBe(0)
    }
  })

  it('leaves alone what does not get smaller', async () => {
    expect(await deflate(new Uint8Array())).toBeUndefined()
    expect(await deflate(crypto.getRandomValues(new Uint8Array(10_000)))).toBeUndefined()
  })

  it('leaves bytes alone where the platform cannot, which says so when it is to inflate', async () => {
    const { CompressionStream: compress, DecompressionStream: decompress } = globalThis
    const text = utf8('again '.repeat(1_000))
    const small = await deflate(text)
    try {
      Object.assign(globalThis, { CompressionStream: undefined, DecompressionStream: undefined })
      expect(await deflate(text)).toBeUndefined()
      await expect(inflate(small ?? text)).rejects.toMatchObject({ code: 'storage_failed' })
    } finally {
      Object.assign(globalThis, { CompressionStream: compress, DecompressionStream: decompress })
    }
  })
})

describe('inflate()', () => {
  it('refuses what is damaged or cut off', async () => {
    const small = await deflate(utf8('again and again '.repeat(1_000)))
    for (const bytes of [new Uint8Array(0), utf8('no such thing'), small?.slice(0, -3) ?? new Uint8Array()])
      await expect(inflate(bytes)).rejects.toMatchObject({ code: 'storage_failed' })
  })
})

it('inflate() stops at the first byte too many, however much would follow', async () => {
  const bomb = new Uint8Array(deflateRawSync(new Uint8Array(64 * 1024 * 1024)))
  await expect(inflate(bomb, 1_000_000)).rejects.toMatchObject({ code: 'too_large' })
  const exact = new Uint8Array(deflateRawSync(new Uint8Array(1_000_000)))
  expect((await inflate(exact, 1_000_000)).byteLength).toBe(1_000_000)
  await expect(inflate(exact, 999_999)).rejects.toMatchObject({ code: 'too_large' })
})
