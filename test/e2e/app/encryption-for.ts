import type { Encryption } from '@waystone/core'
import { encryptionOf } from '@waystone/encryption'

/**
 * What the address of the page asks for: `lent` lets the edge have the keys of runs that are moved there, `lent briefly` for
 * a moment.
 */
export function encryptionFor(query: URLSearchParams): Encryption | undefined {
  const how = query.get('encryption')
  if (how === null) return undefined
  const keys = [{ id: 'person', key: new Uint8Array(32).fill(17) }]
  if (how === 'end-to-end') return encryptionOf(keys)
  return encryptionOf(keys, { lendForMs: how === 'lent' ? 3_600_000 : 3_000 })
}
