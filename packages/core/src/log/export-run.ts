import type { Digest, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import { parseLine } from './entry.ts'
import type { Fold } from './fold.ts'
import type { Blobs } from '../ports/blobs.ts'
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
      yield JSON.stringify({ kind: 'export', format: exportFormat, run: fold.run, head: fold.head })
      for await (const line of linesTo(source)) yield fromUtf8(line)
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
      // Artifacts that are still needed, though the entries that named them were let go.
      const held = fold.blobs.flatMap(({ artifact, hashes }) => (artifact ? hashes : []))
      for (const hash of new Set(held)) {
        const bytes = seen.has(hash) ? undefined : await source.blobs.get(fold.run, hash)
        if (bytes) yield { hash, bytes }
      }
    },
  }
}

async function* linesTo(source: ExportSource): AsyncGenerator<Uint8Array, void> {
  const { fold, lines } = source
  for (let next = await beginOf(source); next <= fold.head.seq;) {
    const page = await lines(next)
    for (const line of page) {
      const { seq } = parseLine(line)
      if (seq > fold.head.seq) return
      yield line
      next = seq + 1
    }
    if (page.length === 0) return
  }
}

/** Where reading can begin: at the first entry, or after that of the first snapshot when what was before was let go. */
async function beginOf({ fold, lines, blobs }: ExportSource): Promise<number> {
  const [line] = await lines(0)
  const first = line ? parseLine(line).seq : 0
  for (const { at, entry } of first === 0 ? [] : fold.snapshots) {
    const stored = (await lines(entry.seq)).map(parseLine).find(({ digest }) => digest === entry.digest)
    if (at.seq + 1 < first || stored === undefined) continue
    // Those that are kept no longer are found by what they lack.
    let isThere = true
    for (const hash of stored.blobs ?? []) isThere &&= (await blobs.get(fold.run, hash)) !== undefined
    if (isThere) return at.seq + 1
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
