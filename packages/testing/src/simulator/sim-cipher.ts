import {
  fromBase64,
  fromUtf8,
  keyMissing,
  toBase64,
  utf8,
  WaystoneError,
  type Cipher,
  type RunId,
} from '@waystone/core'

/**
 * A cipher that hides nothing, so that onlookers can read what they check, and opens nothing that was sealed for another place, with
 * another key or for somebody else. Equal bytes become equal bytes.
 */
export const simCipher: Cipher = {
  keyFor(run, last, lent) {
    const generation = last === undefined ? 0 : Number(last.slice(last.lastIndexOf('.') + 1))
    return `sim.${run}.${String(last !== undefined && lent ? generation + 1 : generation)}`
  },
  has: (key) => runOf(key) !== undefined,
  isOf: (key, run) => runOf(key) === run,
  seal: (key, place, plain) => sealed(`${key} ${fromUtf8(place)}`, plain),
  open: (key, place, bytes) => opened(`${key} ${fromUtf8(place)}`, bytes),
  sealBlob: (key, plain) => utf8(JSON.stringify([key, toBase64(plain)])),
  openBlob(bytes) {
    const [key, plain] = JSON.parse(fromUtf8(bytes)) as [string, string]
    if (!simCipher.has(key)) throw keyMissing('' as RunId, key)
    return fromBase64(plain)
  },
  inboxKey: (key) => Promise.resolve(toBase64(utf8(key))),
  sealItem: async (publicKey, use, plain) => sealed(`${fromUtf8(fromBase64(publicKey))} ${use}`, plain),
  openItem: async (key, use, bytes) => opened(`${key} ${use}`, bytes),
}

/** What was sealed, for whoever looks on. */
export function seenThrough(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(markBytes)
}

const markBytes = 4

function runOf(key: string): string | undefined {
  return /^sim\.(.+)\.\d+$/.exec(key)?.[1]
}

function sealed(place: string, plain: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(markBytes + plain.byteLength)
  new DataView(bytes.buffer).setUint32(0, markOf(place))
  bytes.set(plain, markBytes)
  return bytes
}

function opened(place: string, bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset } = bytes
  const mark = bytes.byteLength < markBytes ? undefined : new DataView(buffer, byteOffset).getUint32(0)
  if (mark !== markOf(place)) throw new WaystoneError('log_damaged', 'this was sealed for another place')
  return seenThrough(bytes)
}

/** FNV-1a, by Glenn Fowler, Landon Curt Noll and Kiem-Phong Vo. */
function markOf(text: string): number {
  let mark = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) mark = Math.imul(mark ^ text.charCodeAt(at), 0x01000193) >>> 0
  return mark
}
