import { afterEach, describe, expect, it } from 'vitest'
import { digestBytes, fromBase64, fromUtf8, toBase64, utf8 } from './digest.ts'

const refused = expect.objectContaining({ code: 'value_refused' })

describe('digestBytes()', () => {
  it('is SHA-256 in lowercase hex (FIPS 180-4, "abc")', () => {
    expect(digestBytes(utf8('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})

describe('utf8() and fromUtf8()', () => {
  it('are each other’s inverse, byte order mark included', () => {
    for (const text of ['', 'aé€😀', '\ufeffa']) expect(fromUtf8(utf8(text))).toBe(text)
  })

  it('refuse what has no UTF-8 and what is none', () => {
    expect(() => utf8('a\ud800')).toThrow(refused)
    expect(() => fromUtf8(new Uint8Array([0xff]))).toThrow(refused)
  })
})

describe('toBase64() and fromBase64()', () => {
  const prototype = Uint8Array.prototype as { toBase64?: unknown }
  const native = prototype.toBase64
  afterEach(() => {
    if (native)
      Object.defineProperty(prototype, 'toBase64', { value: native, writable: true, configurable: true })
  })

  it.each([true, false])('write and read the standard form (native, where there is one: %s)', (isNative) => {
    if (!isNative) delete prototype.toBase64
    for (let size = 0; size < 300; size++) {
      const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 37 + size) & 255)
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
      expect(fromBase64(toBase64(bytes))).toEqual(bytes)
    }
  })

  it('refuse every other form', () => {
    for (const text of ['A', 'AQ', 'AQ=', 'AR==', 'AQ==\n', 'A-_A', 'éAAA', '====']) {
      expect(() => fromBase64(text), text).toThrow(refused)
    }
  })
})
