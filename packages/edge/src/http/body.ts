import { WaystoneError } from '@waystone/core'

/**
 * Reads a body of at most `bytesMax` bytes; stops at the first byte too many. Throws `too_large`. An isolate has 128 MB (2026) for
 * all that it does at a time: a body is there once, in a buffer of the length that it says it has.
 */
export async function readBody(request: Request, bytesMax: number): Promise<Uint8Array> {
  const length = Number(request.headers.get('content-length') ?? 0)
  if (length > bytesMax) throw tooLarge(bytesMax)
  let whole = new Uint8Array(0)
  let bytes = 0
  for await (const part of request.body ?? []) {
    const end = bytes + part.byteLength
    if (end > bytesMax) throw tooLarge(bytesMax)
    // Made when the first of it is there: who sends nothing takes no room.
    if (end > whole.byteLength)
      whole = grown(
        whole.subarray(0, bytes),
        Math.max(end, Math.min(bytesMax, length || 2 * whole.byteLength)),
      )
    whole.set(part, bytes)
    bytes = end
  }
  return whole.subarray(0, bytes)
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length)
  larger.set(bytes)
  return larger
}

/** Reads a body of JSON. Throws `too_large`, `request_refused`. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const bytes = await readBody(request, bytesMax)
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new WaystoneError('request_refused', 'the body of this request is not JSON', { cause })
  }
}

/** Reads bodies as `readBody` and `readJson` do. */
export interface BodyReader {
  bytes(request: Request, bytesMax: number): Promise<Uint8Array>
  json(request: Request, bytesMax: number): Promise<unknown>
}

/** Reads bodies, which may take long to come: whoever sends one is looked at again when it is there. */
export function bodyReader(check: () => void): BodyReader {
  const checked = async <T>(reading: Promise<T>): Promise<T> => {
    const read = await reading
    check()
    return read
  }
  return {
    bytes: (request, bytesMax) => checked(readBody(request, bytesMax)),
    json: (request, bytesMax) => checked(readJson(request, bytesMax)),
  }
}

/** The error for a body over its limit. */
export function tooLarge(bytesMax: number): WaystoneError {
  return new WaystoneError('too_large', `the body of this request may have at most ${String(bytesMax)} bytes`)
}
