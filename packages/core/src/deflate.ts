import { isWaystoneError, WaystoneError } from './errors.ts'

/** What is saved has to be at least this part of the bytes, else reading them would cost more than it is worth. */
const savedMin = 0.1

/**
 * Bytes made smaller (raw DEFLATE, RFC 1951), or undefined where that does not pay or the platform has no
 * `CompressionStream`. What comes out differs between platforms: never hash it.
 */
export async function deflate(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const stream = open(globalThis.CompressionStream)
  if (stream === undefined) return undefined
  const small = await through(stream, bytes)
  return small.byteLength <= bytes.byteLength * (1 - savedMin) ? small : undefined
}

/**
 * The bytes that `deflate` made smaller. Rejects with `storage_failed` for any others, and with `too_large` as soon as there
 * are more than `bytesMax`.
 */
export async function inflate(bytes: Uint8Array, bytesMax = Infinity): Promise<Uint8Array<ArrayBuffer>> {
  const stream = open(globalThis.DecompressionStream)
  if (stream === undefined)
    throw new WaystoneError('storage_failed', 'what is stored is compressed, which this platform cannot undo')
  try {
    return await through(stream, bytes, bytesMax)
  } catch (cause) {
    if (isWaystoneError(cause, 'too_large')) throw cause
    throw new WaystoneError('storage_failed', 'what is stored compressed is damaged', { cause })
  }
}

function open(Stream: typeof CompressionStream): BytesThrough | undefined {
  try {
    return Stream && new Stream('deflate-raw')
  } catch {
    // It knows other formats only.
    return undefined
  }
}

async function through(
  stream: BytesThrough,
  bytes: Uint8Array,
  bytesMax = Infinity,
): Promise<Uint8Array<ArrayBuffer>> {
  const writer = stream.writable.getWriter()
  // A small piece of what somebody has made can be a thousand times as large: nothing more is handed in before it is read.
  const pieceBytes = bytesMax === Infinity ? Infinity : 4_096
  const write = async (): Promise<void> => {
    for (let at = 0; at < bytes.byteLength; at += pieceBytes)
      await writer.write(bytes.subarray(at, at + pieceBytes))
    await writer.close()
  }
  const [parts] = await Promise.all([collect(stream, bytesMax), write()])
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

async function collect({ readable }: BytesThrough, bytesMax: number): Promise<readonly Uint8Array[]> {
  const reader = readable.getReader()
  const parts: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return parts
    parts.push(value)
    bytes += value.byteLength
    if (bytes > bytesMax) {
      const error = new WaystoneError(
        'too_large',
        `this is more than ${String(bytesMax)} bytes when it is inflated`,
      )
      await reader.cancel(error)
      throw error
    }
  }
}
