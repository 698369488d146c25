import {
  fromBase64,
  fromUtf8,
  toBase64,
  utf8,
  WaystoneError,
  type Encryption,
  type RunId,
} from '@waystone/core'
import { userCipher, type UserKey } from './cipher.ts'
import { parseKeyId } from './key-id.ts'
import { keyBytes } from './run-keys.ts'
import { openSealed, sealFor } from './sealed-box.ts'

/** Nobody is lent keys for longer, in ms: a leap year. */
export const lendMsMax = 366 * 24 * 3_600_000

/** How runs are encrypted. */
export interface EncryptionOptions {
  /**
   * The edge may be lent the keys of a run that is moved to it, for so many ms: then it can go on there. Without it runs are
   * end-to-end encrypted: the edge stores and forwards them, and can neither read nor run them.
   */
  readonly lendForMs?: number
  /**
   * Runs that come from the edge are refused with `log_damaged` unless they are encrypted: an edge could make up one in the
   * open, to be told what is sent to it. Without it, runs from before can be opened on this device for the first time.
   */
  readonly only?: boolean
}

/** What a host encrypts with, from the keys of a person. Throws `input_refused`. */
export function encryptionOf(
  keys: readonly UserKey[],
  { lendForMs, only = false }: EncryptionOptions = {},
): Encryption {
  if (lendForMs !== undefined && !(lendForMs > 0 && lendForMs <= lendMsMax)) {
    throw new WaystoneError(
      'input_refused',
      `expected \`lendForMs\` in ms, up to ${String(lendMsMax)}; found ${String(lendForMs)}`,
    )
  }
  const cipher = userCipher(keys)
  if (lendForMs === undefined) return { cipher, only }
  return {
    cipher,
    only,
    lend: (to, { run, keys: ids, now }) => sealLent(to, run, cipher.runKeys(run, ids), now + lendForMs),
  }
}

/** Keys of a run that were lent. */
export interface Lent {
  readonly keys: ReadonlyMap<string, Uint8Array>
  /** In ms since 1970. */
  readonly until: number
}

/** Seals keys of one run for an edge, in base64. `until` in ms since 1970. */
export async function sealLent(
  to: Uint8Array,
  run: RunId,
  keys: Readonly<Record<string, Uint8Array>>,
  until: number,
): Promise<string> {
  const texts = Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, toBase64(key)]))
  const sealed = await sealFor(to, useOf(run), utf8(JSON.stringify({ until, keys: texts })))
  return toBase64(sealed)
}

/** Opens what was lent for a run. Rejects with `log_damaged` for anything else, or what was sealed for another edge. */
export async function openLent(pair: CryptoKeyPair, run: RunId, lent: string): Promise<Lent> {
  const text = fromUtf8(await openSealed(pair, useOf(run), fromBase64(lent)))
  const { until, keys } = JSON.parse(text) as { readonly until?: unknown; readonly keys?: unknown }
  if (!Number.isSafeInteger(until) || typeof keys !== 'object' || keys === null) throw malformed(run)
  const read = Object.entries(keys).map(([id, key]): [string, Uint8Array] => {
    const bytes = fromBase64(String(key))
    parseKeyId(id)
    if (bytes.byteLength !== keyBytes) throw malformed(run)
    return [id, bytes]
  })
  return { keys: new Map(read), until: until as number }
}

function useOf(run: RunId): string {
  return `waystone lent keys 1 of ${run}`
}

function malformed(run: RunId): WaystoneError {
  return new WaystoneError('log_damaged', `expected the keys of run ${run} as they are lent`, { run })
}
