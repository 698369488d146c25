import { fromBase64, newId, toBase64, utf8, WaystoneError } from '@waystone/core'
import { randomBytes } from '@noble/ciphers/utils.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import type { UserKey } from './cipher.ts'
import { keyBytes } from './run-keys.ts'
import { openSealed, publicKeyOf, sealFor } from './sealed-box.ts'

/** The number of the form of keyrings. */
export const keyringFormat = 1

/** A device that may read what a person's runs hold. */
export interface KeyringDevice {
  readonly id: string
  /** The public half of its pair, in base64. */
  readonly publicKey: string
}

/**
 * The keys of a person, each wrapped for each of their devices: it can be kept anywhere, and only these devices can read
 * it. JSON. Who keeps it can withhold it; one that is old, or that was not made by whoever has the keys, `openKeyring` refuses.
 */
export interface Keyring {
  readonly format: typeof keyringFormat
  /** One higher with every change. */
  readonly version: number
  readonly devices: readonly KeyringDevice[]
  /** Devices that want to be let in. Anybody who can write here can put one in. */
  readonly waiting: readonly KeyringDevice[]
  /** Oldest first; `sealed` by the id of a device, in base64. */
  readonly keys: readonly { readonly id: string; readonly sealed: Readonly<Record<string, string>> }[]
  /**
   * By the id of each key, in base64: a MAC of `devices` and `keys` that only those can make who have this key. Without it
   * whoever keeps the keyring could put in a key or a device of their own, for which public keys are enough.
   */
  readonly proofs: Readonly<Record<string, string>>
}

/** This device: its id and its pair of keys. */
export interface OwnDevice {
  readonly id: string
  readonly pair: CryptoKeyPair
}

/** A new keyring with one key and one device. */
export async function newKeyring(device: OwnDevice): Promise<Keyring> {
  const devices = [{ id: device.id, publicKey: toBase64(await publicKeyOf(device.pair)) }]
  return keyringOf(1, [newUserKey()], devices, [])
}

/**
 * The keys in a keyring, oldest first. Rejects with `key_missing` when this device was not let in, `log_damaged` when it is
 * not what was written. `seen`: the newest that this device has seen; one that is older, or that nobody has made who had the
 * keys of that one, is refused with `log_damaged`, too.
 */
export async function openKeyring(
  keyring: Keyring,
  device: OwnDevice,
  seen?: Keyring,
): Promise<readonly UserKey[]> {
  parseKeyring(keyring)
  const version = seen?.version ?? 0
  if (keyring.version < version) {
    throw new WaystoneError(
      'log_damaged',
      `expected version ${String(version)} of the keyring or a later one, found ${String(keyring.version)}: whoever keeps it has gone back to an old one`,
      { details: { expected: version, found: keyring.version }, actions: ['reload'] },
    )
  }
  const known = seen?.keys.at(-1)
  // A device that was shut out has none to compare with.
  if (known?.sealed[device.id] !== undefined) checkProof(keyring, await unwrapped(known, device))
  const keys = await Promise.all(keyring.keys.map((key) => unwrapped(key, device)))
  checkProof(keyring, keys.at(-1) as UserKey)
  return keys
}

async function unwrapped({ id, sealed }: Keyring['keys'][number], device: OwnDevice): Promise<UserKey> {
  const mine = sealed[device.id]
  if (mine === undefined) throw notLetIn(device.id)
  return { id, key: await openSealed(device.pair, useOf(id, device.id), fromBase64(mine)) }
}

function checkProof(keyring: Keyring, known: UserKey): void {
  if (keyring.proofs[known.id] === proofOf(keyring, known)) return
  throw new WaystoneError(
    'log_damaged',
    'this keyring was made by somebody who does not have the keys of this person: whoever keeps it has changed it',
    { details: { version: keyring.version }, actions: ['reload'] },
  )
}

/** Who waits and the version are not in it: devices change these that have no key yet. */
function proofOf({ devices, keys }: Pick<Keyring, 'devices' | 'keys'>, { key }: UserKey): string {
  const said = [
    devices.map(({ id, publicKey }) => [id, publicKey]),
    keys.map(({ id, sealed }) => [id, devices.map((device) => sealed[device.id] ?? null)]),
  ]
  return toBase64(
    hmac(
      sha256,
      hkdf(sha256, key, utf8('waystone keyring 1'), utf8(''), keyBytes),
      utf8(JSON.stringify(said)),
    ),
  )
}

/** The keyring with this device among those that want to be let in; the same when it is in, or waits already. */
export async function askIn(kept: Keyring, device: OwnDevice): Promise<Keyring> {
  const keyring = parseKeyring(kept)
  const publicKey = toBase64(await publicKeyOf(device.pair))
  const isThere = [...keyring.devices, ...keyring.waiting].some(
    (one) => one.id === device.id && one.publicKey === publicKey,
  )
  if (isThere) return keyring
  const waiting = [...keyring.waiting.slice(1 - waitingMax), { id: device.id, publicKey }]
  return { ...keyring, version: keyring.version + 1, waiting }
}

/** More devices do not wait at once: the first one has to ask again. */
const waitingMax = 20

/**
 * The keyring with one more device, or the same when it has it. Compare the `fingerprint` of its key on both screens before:
 * who keeps keyrings could have put in a key of their own. Rejects as `openKeyring`.
 */
export async function letIn(keyring: Keyring, device: OwnDevice, other: KeyringDevice): Promise<Keyring> {
  const keys = await openKeyring(keyring, device)
  const known = keyring.devices.find(({ id }) => id === other.id)
  if (known?.publicKey === other.publicKey) return keyring
  if (known) throw refused(`device ${other.id} has another key in this keyring: shut it out first`)
  return rewrapped(keyring, keys, [...keyring.devices, other])
}

/**
 * The keyring without a device, and with a new key: what is written from now on that device cannot read. What it has read
 * it may keep. Rejects as `openKeyring`, and with `input_refused` for this device itself or one that is not there.
 */
export async function shutOut(keyring: Keyring, device: OwnDevice, other: string): Promise<Keyring> {
  if (other === device.id) throw refused(`device ${other} cannot shut itself out: do it from another one`)
  if (!keyring.devices.some(({ id }) => id === other)) throw refused(`no device ${other} is in this keyring`)
  const keys = [...(await openKeyring(keyring, device)), newUserKey()]
  return rewrapped(
    keyring,
    keys,
    keyring.devices.filter(({ id }) => id !== other),
  )
}

/** The keyring with a new key for what is written from now on. Rejects as `openKeyring`. */
export async function rotate(keyring: Keyring, device: OwnDevice): Promise<Keyring> {
  return rewrapped(keyring, [...(await openKeyring(keyring, device)), newUserKey()], keyring.devices)
}

/** A public key as people compare it on two screens: 60 bits of its SHA-256 in groups of four letters and digits. */
export function fingerprint(publicKey: string): string {
  return grouped(fromBase64(publicKey))
}

/** The same on all devices that have a key, which it does not tell: 60 bits, as a `fingerprint`. */
export function keyCode({ key }: UserKey): string {
  return grouped(hkdf(sha256, key, utf8('waystone key code 1'), utf8(''), keyBytes))
}

function grouped(bytes: Uint8Array): string {
  const digest = sha256(bytes)
  return (
    newId(() => digest)
      .slice(0, 12)
      .match(/.{4}/g) ?? []
  ).join('-')
}

async function rewrapped(
  keyring: Keyring,
  keys: readonly UserKey[],
  devices: readonly KeyringDevice[],
): Promise<Keyring> {
  const { waiting } = parseKeyring(keyring)
  const left = waiting.filter(({ id }) => !devices.some((device) => device.id === id))
  return keyringOf(keyring.version + 1, keys, devices, left)
}

async function keyringOf(
  version: number,
  keys: readonly UserKey[],
  devices: readonly KeyringDevice[],
  waiting: readonly KeyringDevice[],
): Promise<Keyring> {
  const made = { devices, keys: await Promise.all(keys.map((key) => wrapped(key, devices))) }
  const proofs = Object.fromEntries(keys.map((key) => [key.id, proofOf(made, key)]))
  return { format: keyringFormat, version, ...made, waiting, proofs }
}

async function wrapped(
  { id, key }: UserKey,
  devices: readonly KeyringDevice[],
): Promise<Keyring['keys'][number]> {
  const sealed = await Promise.all(
    devices.map(async (device): Promise<[string, string]> => {
      const bytes = await sealFor(fromBase64(device.publicKey), useOf(id, device.id), key)
      return [device.id, toBase64(bytes)]
    }),
  )
  return { id, sealed: Object.fromEntries(sealed) }
}

function newUserKey(): UserKey {
  return { id: newId(randomBytes).slice(0, 10), key: randomBytes(keyBytes) }
}

function useOf(key: string, device: string): string {
  return `waystone user key 1 ${key} for ${device}`
}

/**
 * A keyring from what is kept; the same when there is nothing to leave out. Who waits is in no proof, so that anybody can put
 * in what is no device: that is left out, and keeps nobody from the rest. Throws `log_damaged`, `format_newer`.
 */
export function parseKeyring(keyring: Keyring): Keyring {
  const { format, version, devices, waiting, keys, proofs } = fieldsOf(keyring)
  if (typeof format === 'number' && format > keyringFormat) {
    throw new WaystoneError(
      'format_newer',
      `this keyring has format ${String(format)}, this Waystone reads up to ${String(keyringFormat)}: update Waystone here`,
      { actions: ['reload'] },
    )
  }
  const isWhole =
    format === keyringFormat &&
    Number.isSafeInteger(version) &&
    isListOf(devices, isDevice) &&
    Array.isArray(waiting) &&
    isListOf(keys, isKey) &&
    keys.length > 0 &&
    isTexts(proofs)
  if (!isWhole)
    throw new WaystoneError(
      'log_damaged',
      'this is no keyring: expected { format, version, devices, waiting, keys, proofs }',
    )
  const known = keyring.waiting.filter(isDevice)
  return known.length === keyring.waiting.length ? keyring : { ...keyring, waiting: known }
}

function isDevice(value: unknown): value is KeyringDevice {
  const { id, publicKey } = fieldsOf(value)
  return typeof id === 'string' && isBase64(publicKey)
}

function isKey(value: unknown): value is Keyring['keys'][number] {
  const { id, sealed } = fieldsOf(value)
  return typeof id === 'string' && isTexts(sealed)
}

/** By ids, in base64. */
function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null && Object.values(value).every(isBase64)
}

function isBase64(value: unknown): value is string {
  try {
    return typeof value === 'string' && fromBase64(value).length > 0
  } catch {
    return false
  }
}

function isListOf<T>(value: unknown, is: (one: unknown) => one is T): value is readonly T[] {
  return Array.isArray(value) && value.every(is)
}

/** What may be there of anything; none of what has no fields. */
function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return { ...(value as object | null | undefined) }
}

function notLetIn(device: string): WaystoneError {
  return new WaystoneError(
    'key_missing',
    `device ${device} is not let in by this keyring, or was shut out: let it in on a device that is`,
    { details: { device } },
  )
}

function refused(message: string): WaystoneError {
  return new WaystoneError('input_refused', message)
}
