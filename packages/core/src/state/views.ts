import { bytesClasses, type BytesKind } from './value.ts'

/**
 * The bytes that a value of a bytes kind shows, not copied. Numbers are in the byte order of the platform, which is
 * little-endian wherever Waystone runs.
 */
export function bytesOf(value: object): Uint8Array {
  if (!ArrayBuffer.isView(value)) return new Uint8Array(value as ArrayBuffer)
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}

/**
 * The value of a bytes kind that has these bytes, which it takes over: they fill their buffer. Undefined where the
 * platform lacks the class; throws a `RangeError` when they are not whole items.
 */
export function viewOf(kind: BytesKind, bytes: Uint8Array): object | undefined {
  if (kind === 'bytes') return bytes
  if (kind === 'arraybuffer') return bytes.buffer
  const view = bytesClasses.get(kind)
  return view && new view(bytes.buffer)
}
