import {
  joinLines,
  parseDigest,
  sealEntry,
  type Digest,
  type EntryDraft,
  type Head,
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

/** Entries of a run that waits for an answer; its lease is long. */
export function askingRun(run: RunId, owner: OwnerId): AskingRun {
  const bytes = `a blob of ${run}`
  const identity = { agent: 'asker', version: 1, config: digest, input: null, place: 'browser' } as const
  const lease = { whenGone: 'offer', leaseMs: 3_600_000 } as const
  const drafts: readonly EntryDraft[] = [
    { kind: 'start', body: { ...identity, ...lease, nonce: 'n', sdk: '0', state: { secret: `of ${run}` } } },
    { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config: digest } },
    { kind: 'ask', body: { path: '0/go', input: digest, question: 'Go on?' } },
  ]
  const lines: Uint8Array[] = []
  let head: Head | undefined
  for (const draft of drafts) {
    const at = { run, seq: lines.length, prev: head?.digest ?? null, epoch: 0, term: 1, owner, time: 1 }
    const { entry, line } = sealEntry(draft, at)
    head = { seq: entry.seq, digest: entry.digest }
    lines.push(line)
  }
  if (head === undefined) throw new Error('a run has entries')
  const hash = parseDigest(createHash('sha256').update(bytes).digest('hex'))
  return { text: new TextDecoder().decode(joinLines(lines)), head, ask: head.digest, blob: { hash, bytes } }
}
