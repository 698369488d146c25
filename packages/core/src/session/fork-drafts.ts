import type { EntryDraft, KeyChange, ValueAt } from '../log/bodies.ts'
import type { Fold } from '../log/fold.ts'
import { keyAt, notesIn } from '../log/key-index.ts'
import { forkDraft } from './session-entries.ts'
import type { SessionSetup } from './options.ts'
import type { Values } from './values.ts'

/**
 * The first entries of a fork: its state, then the keyed records that are there, as they are stored, with the values they
 * are told by. What these take is what the fork takes.
 */
export async function forkDrafts(
  setup: SessionSetup,
  fold: Fold,
  { values, by }: { readonly values: Values; readonly by: string },
): Promise<readonly EntryDraft[]> {
  const puts = await putsOf(fold, values)
  const drafts: EntryDraft[] = [forkDraft(setup, fold)]
  const moved = new Map<number, number>()
  const left = new Set<string>()
  for (const [seq, changes] of [...puts].sort(([a], [b]) => a - b)) {
    moved.set(seq, drafts.length)
    for (const { key } of changes) if (keyAt(fold.keys, key) === undefined) left.add(key)
    drafts.push({ kind: 'put', body: { by, changes: changes.map((change) => movedTo(change, moved)) } })
  }
  if (left.size > 0)
    drafts.push({ kind: 'put', body: { by, changes: [...left].map((key) => ({ key, gone: true })) } })
  return drafts
}

/** The changes that put the values of a fold, by the entries they are in. */
async function putsOf(fold: Fold, values: Values): Promise<ReadonlyMap<number, readonly KeyChange[]>> {
  const puts = new Map<number, Map<string, KeyChange>>()
  const wanted = Array.from(notesIn(fold.keys, {}), ([key, seq]): ValueAt => ({ key, seq }))
  // Those of one entry after each other: it is read once.
  wanted.sort((a, b) => a.seq - b.seq)
  for (let next = wanted.pop(); next; next = wanted.pop()) {
    const changes = puts.get(next.seq) ?? new Map<string, KeyChange>()
    if (changes.has(next.key)) continue
    const change = await values.change(next)
    puts.set(next.seq, changes.set(next.key, change))
    if ('like' in change) wanted.push(change.like)
  }
  return new Map(Array.from(puts, ([seq, changes]) => [seq, [...changes.values()]]))
}

function movedTo(change: KeyChange, moved: ReadonlyMap<number, number>): KeyChange {
  if (!('like' in change)) return change
  return { ...change, like: { ...change.like, seq: moved.get(change.like.seq) as number } }
}
