import {
  joinLines,
  parseDigest,
  sealEntry,
  type Digest,
  type EntryDraft,
  type Head,
  type Json,
  type OwnerId,
  type RunId,
} from '@waystone/core'
import { createHash } from 'node:crypto'

const digest = parseDigest('0'.repeat(64))

/** A run that asks one question, as the device that owns it would push it. */
export interface AskingRun {
  /** The body of the push. */
  readonly text: string
  readonly head: Head
  /** The digest of the question. */
  readonly ask: Digest
  /** A small blob that belongs to it. */
  readonly blob: { readonly hash: Digest; readonly bytes: string }
}

/** Entries as a device would push them: `text` is the body of the push. */
export interface Chain {
  readonly text: string
  readonly head: Head
}

/** Seals entries after `base`, or as the first of a run. */
export function chainOf(
  run: RunId,
  owner: OwnerId,
  drafts: readonly EntryDraft[],
  base?: Head,
  time = 1,
): Chain {
  const lines: Uint8Array[] = []
  let head = base
  for (const draft of drafts) {
    const after = { seq: (head?.seq ?? -1) + 1, prev: head?.digest ?? null }
    const { entry, line } = sealEntry(draft, { run, ...after, epoch: 0, term: 1, owner, time })
    head = { seq: entry.seq, digest: entry.digest }
    lines.push(line)
  }
  if (head === undefined) throw new Error('a run has entries')
  return { text: new TextDecoder().decode(joinLines(lines)), head }
}

/** The end of a turn of such a run that sets a text of its state. */
export function note(turn: number, text: string): EntryDraft {
  const delta = [['set', ['note'], text]] as const
  return { kind: 'commit', body: { turn, rules: 1, version: 1, delta, next: { type: 'next' } } }
}

/** The first entry of a run whose lease is long. */
export function firstEntry(
  run: RunId,
  state: Json = { secret: `of ${run}` },
): Extract<EntryDraft, { kind: 'start' }> {
  const identity = { agent: 'asker', version: 1, config: digest, input: null, place: 'browser' } as const
  const lease = { whenGone: 'offer', leaseMs: 3_600_000 } as const
  return { kind: 'start', body: { ...identity, ...lease, nonce: 'n', sdk: '0', state } }
}

/** Entries of a run that waits for an answer. */
export function askingRun(run: RunId, owner: OwnerId): AskingRun {
  const bytes = `a blob of ${run}`
  const { text, head } = chainOf(run, owner, [
    firstEntry(run),
    { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config: digest } },
    { kind: 'ask', body: { path: '0/go', input: digest, question: 'Go on?' } },
  ])
  const hash = parseDigest(createHash('sha256').update(bytes).digest('hex'))
  return { text, head, ask: head.digest, blob: { hash, bytes } }
}
