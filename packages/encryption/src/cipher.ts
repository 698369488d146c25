import { randomBytes } from '@noble/ciphers/utils.js'
import { fromBase64, keyMissing, toBase64, type Cipher, type RunId } from '@waystone/core'
import { keyIdText, parseKeyId, type KeyId } from './key-id.ts'
import { keyOfBlob, RunKey, runKey } from './run-keys.ts'
import { openSealed, publicKeyOf, sealFor } from './sealed-box.ts'

/** A key of a person, from which those of all runs are derived. Whoever has it reads everything. */
export interface UserKey {
  /** 1 to 40 characters of `0-9 a-z`; stands in the open in every entry. */
  readonly id: string
  /** 32 bytes, which stay the caller's and must not change. */
  readonly key: Uint8Array
}

/** A cipher that can hand out the keys of one run, to lend them. */
export interface UserCipher extends Cipher {
  /** The run keys of these ids, 32 bytes each. Throws `key_missing`. */
  runKeys(run: RunId, ids: readonly string[]): Readonly<Record<string, Uint8Array>>
}

/**
 * Seals with keys derived from those of a person, the last of which is for what is new; opens with all of them. Runs that
 * begin get keys of their own, and a run whose key was lent gets its next one. `keys` is looked at each time. Random nonces come from the platform; tests
 * give their own `random`.
 */
export function userCipher(
  keys: readonly UserKey[],
  random: (bytes: number) => Uint8Array = randomBytes,
): UserCipher {
  const known = new Map<string, RunKey>()
  const secretOf = (id: string): Uint8Array | undefined => {
    const parsed = readableKeyId(id)
    const user = keys.find((one) => one.id === parsed?.user)
    return parsed && user && runKey(user.key, parsed)
  }
  const runKeyOf = (id: string): RunKey | undefined => {
    const user = readableKeyId(id)?.user
    const before = keys.some((one) => one.id === user) ? known.get(id) : undefined
    if (before) return before
    const secret = secretOf(id)
    if (secret === undefined) return undefined
    if (known.size >= knownMax) known.clear()
    const key = new RunKey(id, secret, random)
    known.set(id, key)
    return key
  }
  return {
    ...cipherOf(runKeyOf),
    keyFor(run, last, lent) {
      const newest = keys.at(-1)
      if (newest === undefined) throw keyMissing(run, last ?? 'of a user')
      const { user, generation } = last === undefined ? first : parseKeyId(last)
      if (user !== newest.id) return keyIdText({ user: newest.id, run, generation: 0 })
      return last !== undefined && !lent ? last : keyIdText({ user, run, generation: generation + 1 })
    },
    runKeys: (run, ids) =>
      Object.fromEntries(
        ids.map((id) => {
          const key = secretOf(id)
          if (key === undefined) throw keyMissing(run, id)
          return [id, key]
        }),
      ),
  }
}

const first = { user: undefined, generation: 0 } as const

/**
 * Seals with the newest of these run keys and opens with all: for somebody whom they were lent. `keys` may change; it is
 * looked at each time.
 */
export function lentCipher(
  keys: ReadonlyMap<string, Uint8Array>,
  random: (bytes: number) => Uint8Array = randomBytes,
): Cipher {
  // What was derived goes with the key.
  const known = new WeakMap<Uint8Array, RunKey>()
  const runKeyOf = (id: string): RunKey | undefined => {
    const secret = keys.get(id)
    if (secret === undefined) return undefined
    const key = known.get(secret) ?? new RunKey(id, secret, random)
    known.set(secret, key)
    return key
  }
  return {
    ...cipherOf(runKeyOf),
    keyFor(run, last) {
      if (last === undefined || !keys.has(last)) throw keyMissing(run, last ?? 'of a user')
      return last
    },
  }
}

/** Most devices have few runs open; beyond this many keys they are derived anew. */
const knownMax = 1_000

function cipherOf(runKeyOf: (id: string) => RunKey | undefined): Omit<Cipher, 'keyFor'> {
  const keyOf = (id: string): RunKey => {
    const key = runKeyOf(id)
    if (key === undefined) throw keyMissing(readableKeyId(id)?.run ?? '', id)
    return key
  }
  return {
    has: (id) => runKeyOf(id) !== undefined,
    isOf: (id, run) => readableKeyId(id)?.run === run,
    seal: (id, place, plain) => keyOf(id).seal(place, plain),
    open: (id, place, sealed) => keyOf(id).open(place, sealed),
    sealBlob: (id, plain) => keyOf(id).sealBlob(plain),
    inboxKey: async (id) => toBase64(await publicKeyOf(await keyOf(id).inbox)),
    sealItem: (publicKey, use, plain) => sealFor(fromBase64(publicKey), use, plain),
    openItem: async (id, use, sealed) => openSealed(await keyOf(id).inbox, use, sealed),
    openBlob: (sealed) => keyOf(keyOfBlob(sealed)).openBlob(sealed),
  }
}

/** Ids come from logs, which anybody may have written. */
function readableKeyId(id: string): KeyId | undefined {
  try {
    return parseKeyId(id)
  } catch {
    return undefined
  }
}
