import type { Encryption } from '@waystone/core'
import { encryptionOf } from '@waystone/encryption'

/** What the address of the page asks for: `lent` lets the edge have the keys of runs that are moved there. */
export function encryptionFor(query: URLSearchParams): Encryption | undefined {
  const how = query.get('encryption')
  if (how === null) return undefined
  const keys = [{ id: 'person', key: new Uint8Array(32).fill(17) }]
  return encryptionOf(keys, how === 'lent' ? { lendForMs: 3_600_000 } : {})
}
