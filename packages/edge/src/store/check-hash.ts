import { WaystoneError, type Digest, type RunId } from '@waystone/core'

/** Throws `request_refused` for bytes that do not have the hash they are sent under. */
export async function checkHash(run: RunId, hash: Digest, bytes: Uint8Array): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  if (found !== hash) throw wrongHash(run, hash)
}

/** The error for bytes that do not have the hash they are sent under. */
export function wrongHash(run: RunId, hash: Digest, cause?: unknown): WaystoneError {
  return new WaystoneError(
    'request_refused',
    `blob ${hash} of run ${run} was not stored: are these the bytes with this SHA-256?`,
    { run, ...(cause === undefined ? {} : { cause }) },
  )
}
