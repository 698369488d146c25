import { WaystoneError } from '../errors.ts'

// Every runtime has these two, but the libraries of types that declare them bring the rest of a platform
// along.
declare const TextEncoder: new () => { encode(text: string): Uint8Array }
declare const TextDecoder: new (
  label: 'utf-8',
  options: { fatal: true; ignoreBOM: true },
) => { decode(bytes: Uint8Array): string }

// Made once: to make one takes longer than to read a line with it.
let encoder: { encode(text: string): Uint8Array } | undefined
let decoder: { decode(bytes: Uint8Array): string } | undefined

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/**
 * The UTF-8 of a text, as new bytes. Throws `value_refused` for a lone surrogate, which UTF-8 cannot hold:
 * `JSON.stringify` escapes them, so the text of a JSON value never has one.
 */
export function utf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw refused('a text holds half of a surrogate pair, which has no UTF-8')
  encoder ??= new TextEncoder()
  return encoder.encode(text)
}

/** The text of UTF-8 bytes, a byte order mark included. Throws `value_refused` when they are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    return decoder.decode(bytes)
  } catch (cause) {
    throw refused(`${bytes.length} bytes are not UTF-8`, cause)
  }
}

interface NativeBase64 {
  toBase64?(this: Uint8Array): string
}

/** True for two arrays of the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The base64 of bytes: the standard alphabet, padded, without line breaks. */
export function toBase64(bytes: Uint8Array): string {
  // Native since Firefox 133, Safari 18.2, Chrome 140, Node 25.
  const native = (bytes as Uint8Array & NativeBase64).toBase64
  if (native) return native.call(bytes)
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(61) // 61 is the padding, `=`
  let at = 0
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const bits = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    for (let digit = 0; digit < Math.min(4, left + 1); digit++) {
      out[at + digit] = alphabet.charCodeAt((bits >> (18 - 6 * digit)) & 63)
    }
    at += 4
  }
  return fromUtf8(out)
}

/** The bytes, newly made, that `toBase64` wrote as `text`. Throws `value_refused` for any other text. */
export function fromBase64(text: string): Uint8Array {
  const digits = text.replace(/=+$/, '')
  const out = new Uint8Array(Math.floor((digits.length * 3) / 4))
  const values = new Uint8Array(128)
  for (let i = 0; i < 64; i++) values[alphabet.charCodeAt(i)] = i
  let bits = 0
  for (let i = 0, at = 0; i < digits.length; i++) {
    bits = (bits << 6) | (values[digits.charCodeAt(i)] ?? 0)
    if (i % 4 > 0) out[at++] = bits >> (6 - 2 * (i % 4))
  }
  // Whatever is not in canonical form (another alphabet, white space, stray bits, wrong padding) shows here.
  if (toBase64(out) !== text) throw refused('a text is not base64 in canonical form')
  return out
}

function refused(message: string, cause?: unknown): WaystoneError {
  return new WaystoneError('value_refused', message, { cause })
}
