import { toWire } from '@waystone/core'
import {
  DeviceKeys,
  indexedOwnKeys,
  type Keyring,
  type KeyringStore,
  type ShownDevice,
} from '@waystone/encryption'

/** The keyring of the page, put in and taken out by the test. */
class KeyRig {
  keyring: Keyring | undefined
  #keys: DeviceKeys | undefined

  readonly #store: KeyringStore = {
    load: async () => this.keyring,
    save: async (keyring) => void (this.keyring = keyring),
  }

  /** Opens the keys that this browser keeps under a name; tells what became of it. */
  async open(name: string, keyring?: Keyring): Promise<unknown> {
    try {
      this.keyring = keyring ?? this.keyring
      this.#keys = await DeviceKeys.open(indexedOwnKeys(name), this.#store)
      const { isLetIn, device, refused } = this.#keys
      return { isLetIn, device, ...(refused ? { refused: refused.code } : {}) }
    } catch (error) {
      return toWire(error)
    }
  }

  async letIn(device: ShownDevice): Promise<void> {
    await this.#keys?.reload()
    await this.#keys?.letIn(device)
  }

  /** Seals a text, and opens it, with keys of this browser: a base64 text for others. */
  seal(text: string): string {
    const cipher = this.#cipher()
    const key = cipher.keyFor('tides' as never, undefined, false)
    return btoa(String.fromCharCode(...cipher.sealBlob(key, new TextEncoder().encode(text))))
  }

  unseal(sealed: string): string {
    const bytes = Uint8Array.from(atob(sealed), (char) => char.charCodeAt(0))
    return new TextDecoder().decode(this.#cipher().openBlob(bytes))
  }

  /** What the database has of the private key, and whether a script can read it. */
  async privateKey(name: string): Promise<unknown> {
    const device = await indexedOwnKeys(name).load()
    const { privateKey } = device?.pair ?? {}
    if (privateKey === undefined) return undefined
    const read = await crypto.subtle.exportKey('pkcs8', privateKey).then(
      () => 'read',
      (error: unknown) => (error as Error).name,
    )
    return { type: privateKey.type, extractable: privateKey.extractable, read }
  }

  #cipher() {
    if (this.#keys === undefined) throw new Error('open the keys first')
    return this.#keys.encryption().cipher
  }
}

declare global {
  interface Window {
    keys: KeyRig
  }
}

window.keys = new KeyRig()
