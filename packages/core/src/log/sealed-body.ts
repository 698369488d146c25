import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import type { Cipher } from '../ports/cipher.ts'
import { fromBase64, fromUtf8, utf8 } from '../state/digest.ts'
import type { StoredEntry } from './entry.ts'

/** What of an entry says where it stands. */
type Place = Pick<
  StoredEntry,
  'format' | 'run' | 'seq' | 'prev' | 'epoch' | 'term' | 'owner' | 'time' | 'kind' | 'due' | 'inbox'
>

/** Seals the body of an entry for its place in the log: moved elsewhere it cannot be opened. */
export function sealBody(cipher: Cipher, key: string, place: Place, body: unknown): Uint8Array {
  return cipher.seal(key, placeBytes(key, place), utf8(JSON.stringify(body)))
}

/** The body of a sealed entry; `sealed` are the bytes of its blob, if it has one. Throws `key_missing`, `log_damaged`. */
export function openBody(cipher: Cipher | undefined, entry: StoredEntry, sealed?: Uint8Array): Json {
  const { key, enc, run, seq } = entry
  if (key === undefined || (sealed === undefined && enc === undefined)) {
    throw new WaystoneError(
      'log_damaged',
      `entry ${String(seq)} of run ${run} is to be sealed, and holds nothing that is`,
      { run },
    )
  }
  if (cipher?.has(key) !== true) throw keyMissing(run, key)
  // Whoever was lent the key of one run cannot write to another with it.
  if (!cipher.isOf(key, run)) {
    throw new WaystoneError(
      'log_damaged',
      `entry ${String(seq)} of run ${run} is sealed with key ${key}, which is of another run`,
      { run },
    )
  }
  const bytes = sealed ?? readable(run, seq, () => fromBase64(enc as string))
  const plain = cipher.open(key, placeBytes(key, entry), bytes)
  return readable(run, seq, () => JSON.parse(fromUtf8(plain)) as Json)
}

function readable<T>(run: RunId, seq: number, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new WaystoneError(
      'log_damaged',
      `what is sealed in entry ${String(seq)} of run ${run} is not readable`,
      {
        run,
        cause,
      },
    )
  }
}

/** The error for a key that this host does not have. */
export function keyMissing(run: RunId | '', key: string): WaystoneError {
  return new WaystoneError(
    'key_missing',
    `run ${run} is encrypted with key ${key}, which this place does not have: open it on a device that is let in, or let this one in`,
    { run, details: { key } },
  )
}

/** The additional data of a body: a list of JSON, in this order. */
function placeBytes(key: string, place: Place): Uint8Array {
  const { format, run, seq, prev, epoch, term, owner, time, kind, due, inbox } = place
  return utf8(
    JSON.stringify([format, run, seq, prev, epoch, term, owner, time, kind, due ?? null, key, inbox ?? null]),
  )
}
