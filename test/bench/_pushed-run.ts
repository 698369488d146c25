import {
  diff,
  encodeValue,
  parseDigest,
  parseOwnerId,
  parseRunId,
  sealEntry,
  type EntryDraft,
  type Head,
  type Pushed,
  type Remote,
  type RunId,
  type Value,
} from '@waystone/core'
import { textOf } from './_text.ts'

/** The device that owns all runs that are pushed by hand. */
export const pusher = parseOwnerId('pusher')

/** With its envelope an entry has about 1 KB. */
const noteChars = 650

/** A run of a device whose entries are made here, each a commit that replaces a text of its state. */
export class PushedRun {
  readonly id: RunId
  #head: Head | undefined
  #state: Value
  #turn = 0

  constructor(id: string) {
    this.id = parseRunId(id)
    this.#state = { note: '' }
  }

  /** Pushes its first entry, and gives it. `edge` lets the edge watch over its owner, by an alarm. */
  async begin(remote: Remote, whenGone: 'offer' | 'edge' = 'offer'): Promise<Uint8Array> {
    const body = {
      ...{ agent: 'bench', version: 1, config: parseDigest('0'.repeat(64)), input: null },
      ...{ place: 'browser' as const, whenGone, leaseMs: 600_000, nonce: 'bench', sdk: '0' },
      state: encodeValue(this.#state),
    }
    const line = this.#seal({ kind: 'start', body })
    await this.#push(remote, [line])
    return line
  }

  /** So many more entries: each follows the one before. */
  next(count: number): readonly Uint8Array[] {
    return Array.from({ length: count }, () => {
      const after: Value = { note: textOf(this.#turn, noteChars) }
      const delta = diff(this.#state, after)
      const body = { turn: this.#turn, rules: 1, version: 1, delta, next: { type: 'next' } } as const
      this.#state = after
      this.#turn += 1
      return this.#seal({ kind: 'commit', body })
    })
  }

  /** Pushes so many more entries at once, and gives them. */
  async push(remote: Remote, count: number): Promise<readonly Uint8Array[]> {
    const base = this.#head
    const lines = this.next(count)
    await this.#push(remote, lines, base)
    return lines
  }

  /** The head that a push of more entries follows. */
  get head(): Head | undefined {
    return this.#head
  }

  async #push(remote: Remote, lines: readonly Uint8Array[], base?: Head): Promise<void> {
    const pushed: Pushed = await remote.push(this.id, { base, lines })
    if (!pushed.ok) throw new Error(`a push to ${this.id} was refused: ${pushed.code}`)
  }

  #seal(draft: EntryDraft): Uint8Array {
    const { entry, line } = sealEntry(draft, {
      run: this.id,
      seq: (this.#head?.seq ?? -1) + 1,
      prev: this.#head?.digest ?? null,
      ...{ epoch: 0, term: 1, owner: pusher, time: Date.now() },
    })
    this.#head = { seq: entry.seq, digest: entry.digest }
    return line
  }
}
