import { isWaystoneError, newId, toBase64, WaystoneError, type Encryption } from '@waystone/core'
import { randomBytes } from '@noble/ciphers/utils.js'
import type { UserKey } from './cipher.ts'
import {
  askIn,
  fingerprint,
  keyCode,
  letIn,
  newKeyring,
  openKeyring,
  parseKeyring,
  rotate,
  shutOut,
  type Keyring,
  type KeyringDevice,
  type OwnDevice,
} from './keyring.ts'
import { encryptionOf, type EncryptionOptions } from './lending.ts'
import { newKeyPair, publicKeyOf } from './sealed-box.ts'

/** Where the keyring of a person is kept: `edgeKeyring`, or a place of the application's own. */
export interface KeyringStore {
  /** Undefined when there is none yet. */
  load(): Promise<Keyring | undefined>
  /** Keeps a keyring whose version is one higher than what is there. Rejects with `head_moved` when it is not. */
  save(keyring: Keyring): Promise<void>
}

/** What a device keeps for itself. */
export interface OwnKeys {
  load(): Promise<StoredDevice | undefined>
  /** Keeps it, unless there is one by now, which is given instead. */
  add(device: StoredDevice): Promise<StoredDevice>
  /** Remembers the newest keyring that was seen: what is encrypted here can be read without a network. */
  saw(keyring: Keyring): Promise<void>
}

/** A device with the newest keyring that it has seen. */
export interface StoredDevice extends OwnDevice {
  readonly keyring?: Keyring
}

/** A device as it is shown to people who let it in. */
export interface ShownDevice {
  readonly id: string
  /** Three groups of four letters and digits, to be compared on two screens. */
  readonly fingerprint: string
}

/** The keys of this device, and what its person's keyring gives it. */
export class DeviceKeys {
  readonly #own: OwnKeys
  readonly #store: KeyringStore
  readonly #device: StoredDevice
  readonly #shown: ShownDevice
  readonly #keys: UserKey[] = []
  #keyring: Keyring
  /** What is kept elsewhere and not believed: its version, and why. */
  #refused: { readonly version: number; readonly error: WaystoneError } | undefined

  private constructor(
    { own, store }: { readonly own: OwnKeys; readonly store: KeyringStore },
    { device, shown }: { readonly device: StoredDevice; readonly shown: ShownDevice },
    keyring: Keyring,
  ) {
    this.#own = own
    this.#store = store
    this.#device = device
    this.#shown = shown
    this.#keyring = keyring
  }

  /**
   * Opens the keyring of a person on this device: the first device makes it, another one asks to be let in. Without a
   * network a device that was let in goes on with what it has seen, and so it does where what is kept is older than that, of a later
   * form, or was made by somebody without its keys: `refused` tells. Rejects as the two stores do, and on a device that has seen none
   * with `log_damaged` for what is no keyring and `format_newer` for one of a later form.
   */
  static async open(own: OwnKeys, store: KeyringStore): Promise<DeviceKeys> {
    const device = (await own.load()) ?? (await own.add({ id: newId(randomBytes), pair: await newKeyPair() }))
    // From its own pair: who keeps the keyring could have put in another key under its id, to be compared with itself.
    const mine = shown({ id: device.id, publicKey: toBase64(await publicKeyOf(device.pair)) })
    for (;;) {
      const known = await loaded(store, device.keyring)
      try {
        // One that was lost there is kept there again.
        const keyring = known ?? device.keyring ?? (await newKeyring(device))
        if (known === undefined) await store.save(keyring)
        const keys = new DeviceKeys({ own, store }, { device, shown: mine }, keyring)
        await keys.#read(keyring)
        if (!keys.isLetIn && !keys.refused) await keys.#change((now) => askIn(now, device))
        return keys
      } catch (error) {
        // Another device was the first one.
        if (known !== undefined || !isWaystoneError(error, 'head_moved')) throw error
      }
    }
  }

  /** This device, to be shown where another one lets it in. */
  get device(): ShownDevice {
    return this.#shown
  }

  /** False until another device has let this one in, and after one has shut it out: call `reload` to see. */
  get isLetIn(): boolean {
    return this.#keys.length > 0
  }

  /**
   * The same on all devices that let each other in, to be compared when one was: another code says that somebody else has let
   * this one in. It changes with each new key. Undefined for a device that is not let in.
   */
  get code(): string | undefined {
    const newest = this.#keys.at(-1)
    return newest && keyCode(newest)
  }

  /** The devices that may read. */
  get devices(): readonly ShownDevice[] {
    return this.#keyring.devices.map(shown)
  }

  /** The devices that want to be let in. */
  get waiting(): readonly ShownDevice[] {
    return this.#keyring.waiting.map(shown)
  }

  /**
   * What to open Waystone with. Keys that come later are used as soon as they were read here. Throws `key_missing` when this
   * device is not let in.
   */
  encryption(options: EncryptionOptions = {}): Encryption {
    if (this.isLetIn) return encryptionOf(this.#keys, options)
    throw new WaystoneError(
      'key_missing',
      `device ${this.#device.id} is not let in: let it in on a device that is, comparing ${this.device.fingerprint}`,
      { details: { device: this.#device.id } },
    )
  }

  /**
   * Why what is kept elsewhere is not believed: this device goes on with the newest keyring that it has seen, and the keyring
   * cannot be changed before that is put back. Show it: somebody has a token of this person, or whoever keeps the keyring has
   * changed it. `format_newer`: a newer Waystone may have written it, so look at the other devices first.
   */
  get refused(): WaystoneError | undefined {
    return this.#refused?.error
  }

  /**
   * Puts the keyring that this device has seen in the place of the one that is `refused`. Do it on the device that was used last: what
   * another one has changed since this one has looked has to be done again. Rejects as the store does, and with `input_refused` when
   * nothing is refused.
   */
  async putBack(): Promise<void> {
    await this.reload()
    if (this.#refused === undefined) throw nothingRefused()
    const { version: kept } = this.#refused
    const last = Math.max(kept, this.#keyring.version) + 1
    let keyring = this.#keyring
    // Only the next version is taken: where what is kept is older, those in between come first.
    for (let version = kept + 1; version <= last; version++) {
      keyring = { ...keyring, version }
      await this.#store.save(keyring)
    }
    await this.#read(keyring)
  }

  /** Reads the keyring again. Rejects as `open`. */
  async reload(): Promise<void> {
    const keyring = await loaded(this.#store, this.#keyring)
    if (keyring) await this.#read(keyring)
  }

  /**
   * Lets a waiting device in, one of `waiting` whose fingerprint was compared. Rejects with `input_refused`, also when another
   * key waits under its id by now: whoever keeps the keyring can change who waits at any moment. Rejects with `key_missing`.
   */
  async letIn(device: ShownDevice): Promise<void> {
    await this.#change((keyring) => letIn(keyring, this.#device, waitingOf(keyring, device)))
  }

  /** Shuts a device out: what is written from now on it cannot read. Rejects with `input_refused`, `key_missing`. */
  async shutOut(id: string): Promise<void> {
    await this.#change((keyring) => shutOut(keyring, this.#device, id))
  }

  /** Goes on with a new key. Rejects with `key_missing`. */
  async rotate(): Promise<void> {
    await this.#change((keyring) => rotate(keyring, this.#device))
  }

  /** Changes what is kept, made anew when another device was faster. */
  async #change(make: (keyring: Keyring) => Promise<Keyring>): Promise<void> {
    for (;;) {
      if (this.#refused) throw this.#refused.error
      const next = await make(this.#keyring)
      try {
        if (next !== this.#keyring) await this.#store.save(next)
        return await this.#read(next)
      } catch (error) {
        if (!isWaystoneError(error, 'head_moved')) throw error
        await this.reload()
      }
    }
  }

  async #read(kept: Keyring): Promise<void> {
    const seen = (await this.#own.load())?.keyring
    try {
      const keyring = parseKeyring(kept)
      const keys = await this.#opened(keyring, seen)
      await this.#own.saw(keyring)
      this.#take(keyring, keys)
      this.#refused = undefined
    } catch (error) {
      if (seen === undefined || !isUnbelieved(error)) throw error
      // It would do no more harm if it could not be reached.
      const keyring = parseKeyring(seen)
      this.#take(keyring, await this.#opened(keyring, keyring))
      this.#refused = { version: versionOf(kept), error }
    }
  }

  #take(keyring: Keyring, keys: readonly UserKey[]): void {
    this.#keyring = keyring
    this.#keys.splice(0, Infinity, ...keys)
  }

  /** Its keys; none when this device is not let in. */
  async #opened(keyring: Keyring, seen: Keyring | undefined): Promise<readonly UserKey[]> {
    try {
      return await openKeyring(keyring, this.#device, seen)
    } catch (error) {
      if (isWaystoneError(error, 'key_missing')) return []
      throw error
    }
  }
}

/** What is kept elsewhere, or while nobody can be reached what was seen last. */
async function loaded(store: KeyringStore, seen: Keyring | undefined): Promise<Keyring | undefined> {
  try {
    return await store.load()
  } catch (error) {
    if (seen && isWaystoneError(error, 'unreachable')) return seen
    throw error
  }
}

/** A later form, too: who can write there can say so of anything. */
function isUnbelieved(error: unknown): error is WaystoneError {
  return isWaystoneError(error, 'log_damaged') || isWaystoneError(error, 'format_newer')
}

/** Of what may be anything. */
function versionOf(keyring: Partial<Keyring>): number {
  return Number.isSafeInteger(keyring.version) ? (keyring.version as number) : 0
}

function nothingRefused(): WaystoneError {
  return new WaystoneError(
    'input_refused',
    'the keyring that is kept is the one in use: nothing is to be put back',
  )
}

function shown({ id, publicKey }: KeyringDevice): ShownDevice {
  return { id, fingerprint: fingerprint(publicKey) }
}

function waitingOf({ waiting }: Keyring, { id, fingerprint: expected }: ShownDevice): KeyringDevice {
  const device = waiting.find((one) => one.id === id && fingerprint(one.publicKey) === expected)
  if (device) return device
  throw new WaystoneError(
    'input_refused',
    `no device ${id} with the fingerprint ${expected} waits to be let in: compare again what both screens show`,
    { details: { device: id, expected } },
  )
}
