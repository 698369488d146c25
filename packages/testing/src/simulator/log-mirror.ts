import {
  digestBytes,
  fromBase64,
  fromUtf8,
  type Append,
  type Digest,
  type Head,
  type OwnerId,
  type RunId,
} from '@waystone/core'
import { seenThrough } from './sim-cipher.ts'

/** One entry as an onlooker sees it. */
export interface Seen extends Head {
  readonly kind: string
  readonly prev: Digest | null
  readonly owner: OwnerId
  readonly epoch: number
  readonly body: Readonly<Record<string, unknown>>
  readonly blobs?: readonly Digest[]
}

/** The log of one run in one store, as an onlooker has seen it grow: read by nobody who is tested. */
export class LogMirror {
  readonly run: RunId
  readonly entries: Seen[] = []
  /** Digests of what was set aside. */
  readonly aside = new Set<Digest>()
  /** Where the log begins that this store was given. */
  first = 0

  constructor(run: RunId) {
    this.run = run
  }

  get head(): Seen | undefined {
    return this.entries.at(-1)
  }

  at(seq: number): Seen | undefined {
    return this.entries[seq - this.first]
  }

  /** What an append that was accepted has added. */
  append({ base, lines, end, setAside, begins }: Append): readonly Seen[] {
    const seen = seenOf(lines, end?.digest)
    if (setAside && begins) {
      if (this.head && this.head.digest === seen.at(-1)?.digest) return []
      this.#cut(this.first)
    }
    const known = seen.findIndex(({ seq, digest }) => this.at(seq)?.digest !== digest)
    const added = known < 0 ? [] : seen.slice(known)
    if (setAside && !begins) this.#cut((base?.seq ?? -1) + 1 + (known < 0 ? seen.length : known))
    if (this.entries.length === 0) this.first = added[0]?.seq ?? 0
    this.entries.push(...added)
    return added
  }

  /** What was read back from a store that is another one now. */
  reset(lines: readonly Uint8Array[]): void {
    this.entries.splice(0)
    this.entries.push(...seenOf(lines))
    this.first = this.entries[0]?.seq ?? 0
  }

  /** The entries of the open turn that count: those before a rewind do not. */
  openTurn(): readonly Seen[] {
    const open: Seen[] = []
    for (let index = this.entries.length - 1; index >= 0; index -= 1) {
      const entry = this.entries[index] as Seen
      if (turnEnds.has(entry.kind)) {
        open.unshift(...carriedBy(entry))
        break
      }
      open.unshift(entry)
    }
    return open
  }

  /** The entry that the open turn follows. */
  get turnBegan(): number {
    return this.effective().findLast(({ kind }) => turnEnds.has(kind) && kind !== 'rewind')?.seq ?? 0
  }

  /** Entries of the state's line: those that a rewind took back are left out. */
  effective(): readonly Seen[] {
    const line: Seen[] = []
    for (const entry of this.entries) {
      if (entry.kind === 'rewind') {
        const { seq } = entry.body['to'] as Head
        while (line.length > 0 && (line.at(-1) as Seen).seq > seq) line.pop()
      }
      line.push(entry)
    }
    return line
  }

  #cut(from: number): void {
    for (const { digest } of this.entries.splice(Math.max(0, from - this.first))) this.aside.add(digest)
  }
}

const turnEnds = new Set(['start', 'fork', 'commit', 'rewind'])

/** The records of the open turn that a fork or a way back brings along. */
function carriedBy(entry: Seen): readonly Seen[] {
  const records = (entry.body['records'] ?? []) as readonly Pick<Seen, 'kind' | 'digest' | 'body'>[]
  return records.map(({ kind, digest, body }) => ({ ...entry, kind, digest, body }))
}

/** The digests of lines that follow each other, read where they stand: in the header of the line after. */
export function digestsOf(lines: readonly Uint8Array[]): readonly Digest[] {
  return lines.map((line, index) => {
    const next = lines[index + 1]
    const prev = next && /"prev":"([0-9a-f]{64})"/.exec(fromUtf8(next))?.[1]
    return (prev ?? digestBytes(line)) as Digest
  })
}

/** A line's digest stands in the line after it, so that an onlooker need not hash. */
export function seenOf(lines: readonly Uint8Array[], last?: Digest): readonly Seen[] {
  const parsed = lines.map((line) => JSON.parse(fromUtf8(line)) as Omit<Seen, 'digest'> & Sealed)
  return parsed.map((entry, index) => {
    const next = parsed[index + 1]?.prev ?? (index === lines.length - 1 ? last : undefined)
    const digest = next ?? (digestBytes(lines[index] as Uint8Array) as Digest)
    return Object.assign(entry, { body: bodyOf(entry), digest })
  })
}

interface Sealed {
  readonly enc?: string
}

/** Of a large body, which is in a blob, what stands in the open. */
function bodyOf({ enc, body }: Partial<Seen> & Sealed): Seen['body'] {
  return enc === undefined
    ? (body ?? {})
    : (JSON.parse(fromUtf8(seenThrough(fromBase64(enc)))) as Seen['body'])
}
