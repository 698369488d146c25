import type { Entry } from '../log/entry.ts'

/**
 * The entry after which the open turn began, by the newest entries of a log. `carried`: it has records of another turn's
 * beginning, which a fork or a rewind brought along. Undefined: it began before the first of these.
 */
export function turnStart(entries: readonly Entry[]): number | 'carried' | undefined {
  const last = entries.findLast(({ kind }) => begins.has(kind))
  if (last === undefined) return undefined
  const carries = (last.kind === 'fork' || last.kind === 'rewind') && last.body.records.length > 0
  return carries ? 'carried' : last.seq
}

/** Kinds of entries after which a turn has recorded nothing yet. */
const begins: ReadonlySet<string> = new Set<Entry['kind']>([
  'start',
  'fork',
  'commit',
  'rewind',
  'migrate',
  'edit',
])
