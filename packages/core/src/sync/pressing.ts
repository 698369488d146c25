import type { Entry } from '../log/entry.ts'

/** Kinds of entries that no policy holds back: somebody waits for them, or their loss would cost most. */
const kinds: ReadonlySet<string> = new Set<Entry['kind']>([
  'start',
  'fork',
  'ask',
  'once.start',
  'once',
  'pause',
  'label',
  'open',
  'cancel',
  'rewind',
])

/** True for an entry that a sync policy does not hold back: those above, and all that says that something failed. */
export function isPressing({ kind, body }: Entry): boolean {
  const failed =
    ('error' in body && body.error !== undefined) || ('outcome' in body && 'error' in body.outcome)
  return kinds.has(kind) || failed
}
