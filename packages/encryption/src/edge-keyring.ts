import { bearerOf, fromWire, WaystoneError, type Token } from '@waystone/core'
import type { KeyringStore } from './device-keys.ts'
import type { Keyring } from './keyring.ts'

/** The edge that keeps a keyring, and what lets this device in there. */
export interface EdgeKeyringOptions {
  /** The address of the edge, or one relative to the page. */
  readonly url: string
  readonly token?: Token
}

/**
 * Keeps the keyring of whoever the token is for at the edge, which can neither read its keys nor give an old one to a device
 * that has seen a newer one. Rejects with `unreachable`, and with what the edge says.
 */
export function edgeKeyring({ url, token }: EdgeKeyringOptions): KeyringStore {
  const ask = async (init: RequestInit): Promise<unknown> => {
    const signal = AbortSignal.timeout(15_000)
    const bearer = await bearerOf(token, signal)
    const authorization = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
    const headers = { ...authorization, 'content-type': 'application/json' }
    const address = `${url.replace(/\/$/, '')}/v1/keyring`
    let response: Response
    let answer: unknown
    try {
      response = await fetch(address, { ...init, headers, signal })
      answer = response.status === 204 ? undefined : await response.json()
    } catch (cause) {
      throw new WaystoneError('unreachable', 'the edge that keeps the keyring did not answer', {
        cause,
        actions: ['retry'],
      })
    }
    if (!response.ok) throw fromWire(answer)
    return answer
  }
  return {
    async load() {
      const { keyring } = (await ask({ method: 'GET' })) as { readonly keyring: Keyring | null }
      return keyring ?? undefined
    },
    save: async (keyring) => void (await ask({ method: 'PUT', body: JSON.stringify({ keyring }) })),
  }
}
