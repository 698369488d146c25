import { WaystoneError } from '../errors.ts'
import type { Digest, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import { parseLine } from './entry.ts'
import type { Fold } from './fold.ts'
import { isSealed } from './public-body.ts'
import type { SnapshotNote } from './bodies.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { Head } from '../ports/log-store.ts'
import { encodeValue } from '../state/codec.ts'
import { fromUtf8 } from '../state/digest.ts'

/** The number of the format of an export: its lines beside those of the log. */
export const exportFormat = 1

/** A run to be read by people and programs, or to be imported elsewhere. */
export interface RunExport {
  /**
   * NDJSON, line by line and without line ends: a header of kind `export`, the entries as they are stored, then a line of
   * kind `state` with the state they lead to. Edit that state, and nothing else, to import the run with another one.
   */
  lines(): AsyncGenerator<string, void>
  /** The bytes that entries name by their hash. To be kept in files named by it, beside the lines. */
  blobs(): AsyncGenerator<{ readonly hash: Digest; readonly bytes: Uint8Array }, void>
}

/** A log as far as `head` goes, to be exported by those who need not know its state. */
export interface LoggedRun {
  readonly run: RunId
  readonly head: Head
  readonly snapshots: readonly Pick<SnapshotNote, 'at' | 'entry'>[]
  lines(from: number): Promise<readonly Uint8Array[]>
  /** True when all of these blobs are there. */
  has(blobs: readonly Digest[]): Promise<boolean>
}

/** What an export reads: the log as far as `fold` goes. */
export interface ExportSource {
  readonly fold: Fold
  lines(from: number): Promise<readonly Uint8Array[]>
  readonly blobs: Pick<Blobs, 'get'>
}

/** Exports a run as it is now; what is appended meanwhile is not part of it. */
export function exportOf(source: ExportSource): RunExport {
  const { fold } = source
  return {
    async *lines() {
      const blobs = heldBlobs(fold)
      yield JSON.stringify({ ...exportHeader(fold), ...(blobs.length > 0 ? { blobs } : {}) })
      for await (const line of linesTo(source)) yield fromUtf8(line)
      // An encrypted run leaves as it is kept: sealed.
      if (isSealed(fold)) return
      yield JSON.stringify({ kind: 'state', at: fold.head, state: encodeValue(fold.state) })
    },
    async *blobs() {
      const seen = new Set<Digest>()
      for await (const line of linesTo(source)) {
        for (const hash of parseLine(line).blobs ?? []) {
          if (seen.has(hash)) continue
          seen.add(hash)
          const bytes = await source.blobs.get(fold.run, hash)
          // A chunk of a snapshot that was let go since: nothing needs it.
          if (bytes) yield { hash, bytes }
        }
      }
      for (const hash of heldBlobs(fold)) {
        const bytes = seen.has(hash) ? undefined : await source.blobs.get(fold.run, hash)
        if (bytes) yield { hash, bytes }
      }
    },
  }
}

/** Blobs of artifacts, which may still be needed when the entries that named them were let go. */
function heldBlobs({ blobs }: Fold): readonly Digest[] {
  return [...new Set(blobs.flatMap(({ artifact, hashes }) => (artifact ? hashes : [])))]
}

/** What the lines of an export begin with. A list of `blobs` beside it names more than the entries do, for an import to ask for. */
export function exportHeader({ run, head }: Pick<LoggedRun, 'run' | 'head'>): {
  readonly kind: 'export'
  readonly format: typeof exportFormat
  readonly run: RunId
  readonly head: Head
} {
  return { kind: 'export', format: exportFormat, run, head }
}

/**
 * The entries of an export, page by page, as they are stored: all that are kept, or those after a snapshot from which an
 * import can begin. Rejects with `log_damaged` when entries are let go while it reads.
 */
export async function* exportedPages(source: LoggedRun): AsyncGenerator<readonly Uint8Array[], void> {
  const { run, head, lines } = source
  for (let next = await beginOf(source); next <= head.seq;) {
    const page = (await lines(next)).slice(0, head.seq - next + 1)
    const [first] = page
    if (first === undefined || parseLine(first).seq !== next) {
      throw new WaystoneError(
        'log_damaged',
        `the export of run ${run} lacks entry ${String(next)}: it may have been let go just now, so export it again`,
        { run, actions: ['retry'] },
      )
    }
    yield page
    next += page.length
  }
}

async function* linesTo(source: ExportSource): AsyncGenerator<Uint8Array, void> {
  const { fold, lines, blobs } = source
  const { run, head, snapshots } = fold
  // Those that are kept no longer are found by what they lack.
  const has = async (hashes: readonly Digest[]): Promise<boolean> => {
    for (const hash of hashes) if ((await blobs.get(run, hash)) === undefined) return false
    return true
  }
  const read = (from: number): Promise<readonly Uint8Array[]> => lines(from)
  for await (const page of exportedPages({ run, head, snapshots, lines: read, has })) yield* page
}

/** Where reading can begin: at the first entry, or after that of the first snapshot when what was before was let go. */
async function beginOf({ snapshots, lines, has }: LoggedRun): Promise<number> {
  const [line] = await lines(0)
  const first = line ? parseLine(line).seq : 0
  for (const { at, entry } of first === 0 ? [] : snapshots) {
    if (at.seq + 1 < first) continue
    const stored = (await lines(entry.seq)).map(parseLine).find(({ digest }) => digest === entry.digest)
    if (stored && (await has(stored.blobs ?? []))) return at.seq + 1
  }
  return first
}

/** What was read from the lines of an export. */
export interface ParsedExport {
  readonly run: RunId
  readonly lines: readonly Uint8Array[]
  /** In encoded form, as the file has it. */
  readonly state: Json | undefined
}
