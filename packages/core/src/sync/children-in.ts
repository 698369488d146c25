import type { RunId } from '../ids.ts'
import { parseLine, type Entry, type ParsedEntry } from '../log/entry.ts'
import { fromUtf8 } from '../state/digest.ts'

/** What every line of the kind has in it, as `sealEntry` writes it: the others, which are most, need not be parsed. */
const mark = '"kind":"spawn"'

/** True when a line may say that a child was started. */
export function mayNameChild(line: Uint8Array): boolean {
  return fromUtf8(line).includes(mark)
}

/** The children that lines of a run say were started. `resolve` reads bodies that are blobs, of which few are. */
export async function childrenIn(
  lines: readonly Uint8Array[],
  resolve: (stored: readonly ParsedEntry[]) => Promise<readonly Entry[]>,
): Promise<readonly RunId[]> {
  const children: RunId[] = []
  for (const stored of lines.filter(mayNameChild).map(parseLine)) {
    if (stored.kind !== 'spawn') continue
    // Of one that is sealed the child stands in the open: whoever brings it need not have the key.
    const body = stored.body ?? (await resolve([stored]))[0]?.body
    const { child, error } = body as Extract<Entry, { kind: 'spawn' }>['body']
    if (error === undefined) children.push(child)
  }
  return children
}
