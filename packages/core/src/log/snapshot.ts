import { WaystoneError } from '../errors.ts'
import type { Json } from '../json.ts'
import { decodeValue, encodeValue } from '../state/codec.ts'
import { isObject } from '../state/value.ts'
import type { Bodies, EntryDraft, Gone, Retention, SnapshotNote } from './bodies.ts'
import type { Entry } from './entry.ts'
import type { Fold } from './fold.ts'
import { oldestIn, type KeyIndex } from './key-index.ts'
import { pack, packForEntry, type Chunk, type PackCache, type Part, type Seal } from './pack.ts'
import { isSealed, publicBody, publicFold } from './public-body.ts'

/** Beside the state: what a fold keeps that is plain data already. */
const plain = [
  'epoch',
  'term',
  'owner',
  'place',
  'identity',
  'from',
  'parent',
  'depth',
  'origin',
  'sdk',
  'host',
  'versions',
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
  'retention',
  'lent',
  'inbox',
  'budget',
] as const satisfies readonly (keyof Fold)[]

/** How a snapshot is made. */
export interface SnapshotOptions {
  /** The other snapshots that are kept. */
  readonly kept: readonly SnapshotNote[]
  /** The earliest entry that one can go back to: effects before it are not asked about any more. */
  readonly oldest: number
  /** What was removed already. */
  readonly gone: Gone
  /** Those of them whose artifacts are still needed. */
  readonly held: ReadonlySet<number>
  readonly label?: string
  /** What the writer wants kept of the run. */
  readonly retention: Retention | undefined
  /** Makes what did not change since the last one cheap. */
  readonly cache: PackCache
  /** Seals chunks. */
  readonly seal?: Seal
}

/**
 * Packs a fold: its chunks in the order in which they may be stored, then the entry that names them. The fold may be
 * that of an earlier entry than the head, since writing takes its time.
 */
export function* snapshotOf(
  fold: Fold,
  options: SnapshotOptions,
): Generator<Chunk, Extract<EntryDraft, { kind: 'snapshot' }>> {
  const { kept, label, retention, gone, cache, seal } = options
  const document = packFold(fold, options)
  const packed = yield* packForEntry(
    (chars) => pack(document, chars, cache, seal),
    fold.snapshots.at(-1)?.chars,
  )
  const { json, chunks, chars, bytes } = packed
  const { head: at, turn, updated: time } = fold
  const named = label === undefined ? {} : { label }
  const needs = fold.keys.length === 0 ? {} : { oldest: oldestIn(fold.keys) }
  // JSON has no Infinity, which keeps all.
  const keeps = retention && Number.isFinite(retention.turns + retention.ms) ? { retention } : {}
  const lacks = gone.before > 0 && isSealed(fold) ? { gone } : {}
  const body = { at, turn, time, chars, bytes, fold: json, kept, ...named, ...needs, ...keeps, ...lacks }
  const shown = isSealed(fold) ? { shown: shownOf(fold, body, options) } : {}
  return { kind: 'snapshot', body, blobs: chunks, ...shown }
}

/** A snapshot of what those see of the run who have no key: whole in its entry. */
function shownOf(fold: Fold, body: Bodies['snapshot'], options: SnapshotOptions): Bodies['snapshot'] {
  const parts = Object.entries(packFold(publicFold(fold), options))
  const open = parts.map(
    ([name, part]) => [name, 'json' in part ? part.json : encodeValue(part.value)] as const,
  )
  return { ...publicBody('snapshot', body), fold: Object.fromEntries(open) }
}

function packFold(fold: Fold, { oldest, gone, held }: SnapshotOptions): Readonly<Record<string, Part>> {
  const document: Record<string, Part> = {}
  for (const key of plain) {
    const value = fold[key]
    if (value !== undefined) document[key] = { json: value as unknown as Json }
  }
  const json = (value: unknown): Part => ({ json: value as Json })
  document['onces'] = json(fold.onces.filter(({ seq }) => seq > oldest))
  document['blobs'] = json(fold.blobs.filter(({ seq }) => seq >= gone.before || held.has(seq)))
  document['consumed'] = json([...fold.consumed])
  if (fold.result !== undefined) document['result'] = { value: fold.result }
  if (isSealed(fold)) document['sealedWith'] = json(fold.sealedWith)
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
    sealedWith: (found.sealedWith ?? []) as unknown as Fold['sealedWith'],
    since: { entries: 0, bytes: 0 },
    // Told by the entry, which is later than what it is of.
    gone: undefined,
    snapshots: entry.body.kept.filter(({ at }) => at.seq <= entry.body.at.seq),
  }
}
