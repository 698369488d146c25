import { limits, parseDigest, WaystoneError, type Digest } from '@waystone/core'
import { rowBlobBytesMax } from '../store/row-blobs.ts'

/** How many small blobs travel at once between two objects. */
export const framesMax = 64

const hashBytes = 64
const headerBytes = hashBytes + 4

/** What a body of frames may have. */
export const framesBytesMax = framesMax * (headerBytes + rowBlobBytesMax)

/** A small blob on its way from one object to another. */
export interface BlobFrame {
  readonly hash: Digest
  readonly bytes: Uint8Array
}

/** Small blobs as one body: of each its hash in hex, its length as four bytes, low byte first, its bytes. */
export function joinFrames(frames: readonly BlobFrame[]): Uint8Array {
  const whole = new Uint8Array(frames.reduce((sum, { bytes }) => sum + headerBytes + bytes.byteLength, 0))
  let at = 0
  for (const { hash, bytes } of frames) {
    new TextEncoder().encodeInto(hash, whole.subarray(at))
    new DataView(whole.buffer).setUint32(at + hashBytes, bytes.byteLength, true)
    whole.set(bytes, at + headerBytes)
    at += headerBytes + bytes.byteLength
  }
  return whole
}

/** The blobs of a body. Throws `request_refused`, `too_large`. */
export function splitFrames(body: Uint8Array): readonly BlobFrame[] {
  const frames: BlobFrame[] = []
  for (let at = 0; at < body.byteLength;) {
    if (at + headerBytes > body.byteLength || frames.length === framesMax) throw refused()
    const hash = parseDigest(new TextDecoder().decode(body.subarray(at, at + hashBytes)))
    const length = new DataView(body.buffer, body.byteOffset).getUint32(at + hashBytes, true)
    const end = at + headerBytes + length
    if (length > rowBlobBytesMax || end > body.byteLength) throw refused()
    frames.push({ hash, bytes: body.slice(at + headerBytes, end) })
    at = end
  }
  return frames
}

/** The hashes of a body `{ hashes }`. Throws `request_refused`, `input_refused`. */
export function hashesOf(body: unknown): readonly Digest[] {
  if (typeof body === 'object' && body !== null && 'hashes' in body && Array.isArray(body.hashes))
    return body.hashes.map(parseDigest)
  throw new WaystoneError('request_refused', 'expected a body with a list of `hashes`')
}

/** What a body with hashes may have. */
export const hashesBytesMax = limits.pageBytesMax

function refused(): WaystoneError {
  return new WaystoneError('request_refused', 'the body of this request holds no blobs')
}
