import {
  fromUtf8,
  utf8,
  WaystoneError,
  type Cipher,
  type Clock,
  type Encryption,
  type LentKeys,
  type RunId,
} from '@waystone/core'
import { simCipher } from './sim-cipher.ts'

/** What devices of a world encrypt with: for an edge that may go on for so many ms, or, without them, never. */
export function simEncryption(lendForMs: number | undefined): Encryption {
  if (lendForMs === undefined) return { cipher: simCipher }
  return {
    cipher: simCipher,
    lend: async (to, { run, keys, now }) =>
      JSON.stringify({ to: fromUtf8(to), run, keys, until: now + lendForMs } satisfies Lent),
  }
}

/** What keys are lent for: there is one edge. */
export const lendingKey = utf8('the edge')

interface Lent {
  readonly to: string
  readonly run: RunId
  readonly keys: readonly string[]
  /** In ms since 1970. */
  readonly until: number
}

/** Where an object keeps what it was lent while it does not live. */
export interface LentPlace {
  get(): string | undefined
  set(lent: string | undefined): void
}

/** The keys that one life of an object has. `lapses` hears when their time will be over, in ms since 1970. */
export function simLentKeys(
  { now }: Pick<Clock, 'now'>,
  place: LentPlace,
  lapses: (until: number) => void,
): LentKeys {
  let lent: Lent | undefined
  const has: Cipher['has'] = (key) =>
    lent !== undefined && now() < lent.until && lent.keys.includes(key) && simCipher.has(key)
  const use = (text: string): Lent => {
    lent = JSON.parse(text) as Lent
    lapses(lent.until)
    return lent
  }
  return {
    cipher: {
      ...simCipher,
      has,
      keyFor(run, last) {
        if (last !== undefined && lent?.keys.includes(last)) return last
        throw new WaystoneError('key_missing', `the edge was lent no key of ${run}`, { run })
      },
    },
    async take(run, text) {
      const given = JSON.parse(text) as Lent
      if (given.run !== run || given.to !== fromUtf8(lendingKey) || given.until <= now())
        throw new WaystoneError('move_refused', `the keys of ${run} are not lent`, { run })
      const { until } = use(text)
      return { until, keep: () => place.set(text) }
    },
    async recall() {
      const text = place.get()
      if (text !== undefined && use(text).until <= now()) this.drop()
    },
    drop() {
      lent = undefined
      place.set(undefined)
    },
  }
}
