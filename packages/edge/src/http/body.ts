import { WaystoneError } from '@waystone/core'

/** Reads a body of at most `bytesMax` bytes; stops at the first byte too many. Throws `too_large`. */
export async function readBody(request: Request, bytesMax: number): Promise<Uint8Array> {
  const length = Number(request.headers.get('content-length') ?? 0)
  if (length > bytesMax) throw tooLarge(bytesMax)
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body ?? []) {
    bytes += part.byteLength
    if (bytes > bytesMax) throw tooLarge(bytesMax)
    parts.push(part)
  }
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
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

/** The error for a body over its limit. */
export function tooLarge(bytesMax: number): WaystoneError {
  return new WaystoneError('too_large', `the body of this request may have at most ${String(bytesMax)} bytes`)
}
