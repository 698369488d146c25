import {
  exportedPages,
  exportHeader,
  joinLines,
  parseLine,
  utf8,
  type Head,
  type LoggedRun,
  type RunId,
} from '@waystone/core'
import type { ObjectStorage } from '../store/object-storage.ts'

/**
 * A run as it is stored, up to `head`, in the form of an export: a header, which names all blobs that are here, and the entries.
 * The line of the state is left out: whoever imports it makes the state from the entries. No more than a page of it is in memory.
 */
export async function* exportStored(
  run: RunId,
  head: Head,
  storage: ObjectStorage,
): AsyncGenerator<Uint8Array, void> {
  const { store, blobs } = storage
  const logged: LoggedRun = {
    ...{ run, head, snapshots: await snapshotsOf(run, storage) },
    lines: (from) => store.read(run, from),
    has: async (hashes) => (await blobs.missing(run, hashes)).length === 0,
  }
  yield utf8(`${JSON.stringify(exportHeader(logged)).slice(0, -1)},"blobs":[`)
  let comma = ''
  for await (const hashes of storage.allBlobs(run)) {
    if (hashes.length === 0) continue
    yield utf8(`${comma}${hashes.map((hash) => JSON.stringify(hash)).join(',')}`)
    comma = ','
  }
  yield utf8(']}\n')
  for await (const page of exportedPages(logged)) yield joinLines(page)
}

async function snapshotsOf(run: RunId, { snapshots }: ObjectStorage): Promise<LoggedRun['snapshots']> {
  const found: LoggedRun['snapshots'][number][] = []
  for (const seq of await snapshots.list(run)) {
    const line = await snapshots.get(run, seq)
    const entry = line && readable(line)
    // Of one whose body is apart nothing begins.
    const at = (entry?.body as { readonly at?: Head } | null | undefined)?.at
    if (entry && at) found.push({ at, entry: { seq: entry.seq, digest: entry.digest } })
  }
  return found
}

/** One that is damaged is no place to begin at. */
function readable(line: Uint8Array): ReturnType<typeof parseLine> | undefined {
  try {
    return parseLine(line)
  } catch {
    return undefined
  }
}

/** Who asks is looked at again before each part. */
export async function* whileLetIn(
  parts: AsyncGenerator<Uint8Array, void>,
  checkAsking: () => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const part of parts) {
    checkAsking()
    yield part
  }
}
