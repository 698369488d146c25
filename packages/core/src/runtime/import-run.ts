import { WaystoneError } from '../errors.ts'
import { parseDigest, parseRunId, type Digest, type RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import type { Bodies, EntryDraft } from '../log/bodies.ts'
import type { Fold } from '../log/fold.ts'
import { foldBegun, type BodySource } from '../log/log-reader.ts'
import { decodeValue } from '../state/codec.ts'
import { diff } from '../state/delta.ts'
import { utf8 } from '../state/digest.ts'
import type { RuntimeApi } from './api.ts'
import { checkpointOf } from './first-entry.ts'
import { exportFormat, type ParsedExport } from '../log/export-run.ts'

/**
 * Reads the lines of an export. Throws `request_refused` with the number of the line that is not what it should be; that
 * the entries are one chain is checked by `foldImported`.
 */
export function parseExport(texts: readonly string[]): ParsedExport {
  const [header, ...rest] = texts.map((text) => text.trim()).filter((text) => text !== '')
  const first = parsed(header ?? '', 1)
  if (first.kind !== 'export') throw refused(1, 'the header of an export', first.kind)
  if (first.format !== exportFormat) throw refused(1, `format ${String(exportFormat)}`, first.format)
  const last = rest.length === 0 ? undefined : parsed(rest.at(-1) as string, rest.length + 1)
  // An entry may be of any kind; it has a place in the log.
  const isState = last?.kind === 'state' && last.seq === undefined
  const lines = isState ? rest.slice(0, -1) : rest
  return {
    run: parseRunId(first.run),
    lines: lines.map(utf8),
    state: isState ? (last.state as Json) : undefined,
  }
}

/**
 * Verifies an export and folds it. Rejects with `log_damaged`, `entry_refused`, `blob_missing`, `checkpoint_gone` for one
 * that begins in the middle without the snapshot it rests on.
 */
export async function foldImported(from: ParsedExport, source: BodySource): Promise<Fold> {
  try {
    return await folded(from, source)
  } catch (cause) {
    if (cause instanceof WaystoneError) throw cause
    // A chain that somebody else made, of bodies that no Waystone writes.
    throw new WaystoneError('log_damaged', `the export of run ${from.run} has entries that are none`, {
      run: from.run,
      cause,
    })
  }
}

async function folded({ run, lines }: ParsedExport, source: BodySource): Promise<Fold> {
  if (lines.length === 0) throw refused(2, 'an entry', 'the end')
  const { base, fold } = await foldBegun(run, lines, source)
  if (fold) return fold
  throw new WaystoneError(
    'checkpoint_gone',
    `the export of run ${run} begins at entry ${String((base?.seq ?? -1) + 1)} without a snapshot of what was before`,
    { run },
  )
}

/**
 * The entries of a new run that an export becomes: a fork of it, the edit of its state when there was one, and a pause,
 * since an import runs nothing by itself. Throws `value_refused` for an edited state that cannot be read.
 */
export function importedEntries(
  fold: Fold,
  body: Bodies['fork'],
  edited: Json | undefined,
  { by, blobs }: { readonly by: string; readonly blobs: readonly Digest[] },
): readonly EntryDraft[] {
  const delta = edited === undefined ? [] : diff(fold.state, decodeValue(edited))
  const pause: EntryDraft = {
    kind: 'pause',
    body: {
      reason: 'imported',
      error: {
        code: 'run_paused',
        message: `this run was imported from run ${fold.run}, and waits to be told to go on`,
      },
      actions: ['retry', 'fork', 'cancel'],
    },
  }
  if (delta.length === 0) return [{ kind: 'fork', body, blobs }, pause]
  // What the open turn had recorded was made from the state as it was: the turn begins anew.
  const anew = { ...body, ...checkpointOf(fold, fold, body.state) }
  return [{ kind: 'fork', body: anew, blobs }, { kind: 'edit', body: { by, delta } }, pause]
}

interface Line {
  readonly kind?: unknown
  readonly format?: unknown
  readonly run?: unknown
  readonly state?: unknown
  readonly blobs?: unknown
  readonly seq?: unknown
}

function parsed(text: string, line: number): Line {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch (cause) {
    throw refused(line, 'JSON', text, cause)
  }
  throw refused(line, 'a JSON object', text)
}

function refused(line: number, expected: string, found: unknown, cause?: unknown): WaystoneError {
  return new WaystoneError(
    'request_refused',
    `line ${String(line)} of the export: expected ${expected}, found ${String(found).slice(0, 80)}`,
    cause === undefined ? {} : { cause },
  )
}

/** The blobs that the lines of an export name. */
export function blobsNamed(texts: readonly string[]): readonly Digest[] {
  const hashes = texts.flatMap((text, index) => {
    if (text.trim() === '') return []
    const { blobs } = parsed(text, index + 1)
    return Array.isArray(blobs) ? (blobs as unknown[]).map(parseDigest) : []
  })
  return [...new Set(hashes)]
}

/**
 * Makes a run of an export: puts the blobs that it names, as far as `blob` gives them, and has the run made. When that is
 * refused none of them is kept. Rejects as `putBlob`, `importRun` and `blob` do.
 */
export async function importExport(
  api: Pick<RuntimeApi, 'putBlob' | 'importRun' | 'dropBlobs'>,
  run: RunId,
  lines: readonly string[],
  blob: (hash: Digest) => Promise<Uint8Array | undefined>,
): Promise<RunId> {
  const put: Digest[] = []
  try {
    for (const hash of blobsNamed(lines)) {
      const bytes = await blob(hash)
      if (bytes === undefined) continue
      put.push(hash)
      await api.putBlob(run, hash, bytes)
    }
    return await api.importRun(run, lines)
  } catch (error) {
    // What cannot be dropped is only more than is needed.
    if (put.length > 0) await api.dropBlobs(run, put).catch(() => undefined)
    throw error
  }
}
