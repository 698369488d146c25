import { WaystoneError } from '../errors.ts'
import type { Json } from '../json.ts'
import { decodeValue } from '../state/codec.ts'
import { isObject } from '../state/value.ts'
import type { EntryDraft, SnapshotNote } from './bodies.ts'
import type { Entry } from './entry.ts'
import type { Fold } from './fold.ts'
import { oldestIn, type KeyIndex } from './key-index.ts'
import { pack, packForEntry, type Chunk, type PackCache, type Part } from './pack.ts'

/** Beside the state: what a fold keeps that is plain data already. */
const plain = [
  'epoch',
  'term',
  'owner',
  'place',
  'identity',
  'from',
  'origin',
  'sdk',
  'started',
  'updated',
  'turnBegan',
  'turn',
  'records',
  'status',
  'due',
  'pause',
  'reason',
  'unwind',
  'effects',
  'artifacts',
  'labels',
  'budget',
] as const satisfies readonly (keyof Fold)[]

/** How a snapshot is made. */
export interface SnapshotOptions {
  /** The other snapshots that are kept. */
  readonly kept: readonly SnapshotNote[]
  /** The earliest entry that one can go back to: effects before it are not asked about any more. */
  readonly oldest: number
  /** What entries before this one named was removed already. */
  readonly gone: number
  /** Those of them whose artifacts are still needed. */
  readonly held: ReadonlySet<number>
  readonly label?: string
  /** Makes what did not change since the last one cheap. */
  readonly cache: PackCache
}

/**
 * Packs a fold: its chunks in the order in which they may be stored, then the entry that names them. The fold may be
 * that of an earlier entry than the head, since writing takes its time.
 */
export function* snapshotOf(
  fold: Fold,
  options: SnapshotOptions,
): Generator<Chunk, Extract<EntryDraft, { kind: 'snapshot' }>> {
  const { kept, label, cache } = options
  const document = packFold(fold, options)
  const packed = yield* packForEntry((chars) => pack(document, chars, cache), fold.snapshots.at(-1)?.chars)
  const { json, chunks, chars, bytes } = packed
  const { head: at, turn, updated: time } = fold
  const named = label === undefined ? {} : { label }
  const needs = fold.keys.length === 0 ? {} : { oldest: oldestIn(fold.keys) }
  return {
    kind: 'snapshot',
    body: { at, turn, time, chars, bytes, fold: json, kept, ...named, ...needs },
    blobs: chunks,
  }
}

function packFold(fold: Fold, { oldest, gone, held }: SnapshotOptions): Readonly<Record<string, Part>> {
  const document: Record<string, Part> = {}
  for (const key of plain) {
    const value = fold[key]
    if (value !== undefined) document[key] = { json: value as unknown as Json }
  }
  const json = (value: unknown): Part => ({ json: value as Json })
  document['onces'] = json(fold.onces.filter(({ seq }) => seq > oldest))
  document['blobs'] = json(fold.blobs.filter(({ seq }) => seq >= gone || held.has(seq)))
  document['consumed'] = json([...fold.consumed])
  if (fold.result !== undefined) document['result'] = { value: fold.result }
  if (fold.keys.length > 0) document['keys'] = { value: fold.keys }
  document['state'] = { value: fold.state }
  return document
}

/** The fold that a snapshot is of; `document` is its packed part, unpacked. Throws `log_damaged`. */
export function foldOfSnapshot(entry: Extract<Entry, { kind: 'snapshot' }>, document: Json): Fold {
  const found = document as Partial<Record<keyof Fold, Json>>
  if (!isObject(document) || !isObject(found.identity) || !Array.isArray(found.consumed)) {
    throw new WaystoneError(
      'log_damaged',
      `the snapshot in entry ${String(entry.seq)} of run ${entry.run} is not what was written`,
      { run: entry.run },
    )
  }
  const taken = Object.fromEntries(plain.map((key) => [key, found[key]])) as unknown as Pick<
    Fold,
    (typeof plain)[number]
  >
  return {
    ...taken,
    run: entry.run,
    head: entry.body.at,
    // Not told by the snapshot: it was not later than this.
    writerSince: entry.body.time,
    state: decodeValue(found.state ?? null),
    result: found.result === undefined ? undefined : decodeValue(found.result),
    consumed: new Set(found.consumed as string[]),
    onces: (found.onces ?? []) as unknown as Fold['onces'],
    blobs: (found.blobs ?? []) as unknown as Fold['blobs'],
    keys: (found.keys ?? []) as unknown as KeyIndex,
    since: { entries: 0, bytes: 0 },
    snapshots: entry.body.kept.filter(({ at }) => at.seq <= entry.body.at.seq),
  }
}
