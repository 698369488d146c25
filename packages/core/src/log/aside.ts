import { digestsIn } from '../ids.ts'
import { fromUtf8 } from '../state/digest.ts'
import { firstOfTail, type SetAside } from '../ports/tails.ts'

/** What has been set aside of a run needs of its history. */
export interface Aside {
  /** The first entry after which something was set aside; Infinity for nothing. */
  readonly parted: number
  /** All that its lines name: what looks like a hash is one, also in a line that is damaged. */
  readonly blobs: ReadonlySet<string>
}

export const nothingAside: Aside = { parted: Infinity, blobs: new Set() }

/** What these tails need of a log that begins with entry `begins`: what follows none of its entries is read without it. */
export function asideOf(tails: readonly SetAside[], begins: number): Aside {
  const lines = tails.flatMap((tail) => tail.lines)
  const hashes = lines.flatMap((line) => digestsIn(fromUtf8(line)))
  const follows = tails.map(({ name }) => firstOfTail(name) - 1)
  const parted = follows.filter((seq) => seq >= Math.max(0, begins - 1))
  return { parted: Math.min(Infinity, ...parted), blobs: new Set(hashes) }
}
