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

/** What these tails need. */
export function asideOf(tails: readonly SetAside[]): Aside {
  const lines = tails.flatMap((tail) => tail.lines)
  const hashes = lines.flatMap((line) => digestsIn(fromUtf8(line)))
  const parted = Math.min(Infinity, ...tails.map(({ name }) => Math.max(0, firstOfTail(name) - 1)))
  return { parted, blobs: new Set(hashes) }
}
