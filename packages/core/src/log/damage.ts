import { isWaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import type { Json } from '../json.ts'
import type { Cipher } from '../ports/cipher.ts'
import type { Head } from '../ports/log-store.ts'
import { firstOfTail, type SetAside } from '../ports/tails.ts'
import { parseLine, type ParsedEntry } from './entry.ts'
import { openBody } from './sealed-body.ts'

/** What was found damaged when a log was opened, and set aside. */
export interface Damage {
  /** The first entry that was set aside. */
  readonly seq: number
  /** Why it could not be used. */
  readonly reason: string
  /** The `once` effects that what was set aside had started, as far as it can be read. */
  readonly effects: readonly EffectRead[]
}

/** An effect as a line says that began it, which may be the one that is damaged. */
export interface EffectRead {
  readonly path: string
  readonly key: string
  /** What its key was made from, when the run had gone back in a line before. */
  readonly origin?: Digest
}

/** What the reason of a tail begins with that was set aside because it is damaged. */
export const damagedReason = 'damaged: '

/** What was set aside for damage; `first` is the number of its first entry. */
export interface DamagedTail extends SetAside {
  readonly first: number
}

/** What was set aside for damage, with the number of its first entry. */
export function damagedTails(tails: readonly SetAside[]): readonly DamagedTail[] {
  return tails
    .filter(({ reason }) => reason.startsWith(damagedReason))
    .map((tail) => ({ ...tail, first: firstOfTail(tail.name) }))
}

/** The damage that a tail was set aside for, when it begins at this entry. */
export function damageOfTails(tails: readonly SetAside[], seq: number, cipher?: Cipher): Damage | undefined {
  const tail = damagedTails(tails).findLast(({ first }) => first === seq)
  return tail && { seq, reason: tail.reason, effects: effectsStarted(tail.lines, cipher) }
}

/** True for what says that something stored is not as it was written, or not there. */
export function isDamage(error: unknown): boolean {
  return (
    isWaystoneError(error, 'log_damaged') ||
    isWaystoneError(error, 'entry_refused') ||
    isWaystoneError(error, 'blob_missing') ||
    isWaystoneError(error, 'delta_refused') ||
    isWaystoneError(error, 'value_refused')
  )
}

/**
 * How many of these lines, which follow `base`, are certain to be as they were written: each but the last is named by the
 * digest in the line after it. Where two do not fit together the second one is right when the one after it, or the head
 * that the store has, says so. `head`: what the store says of its last entry.
 */
export function soundLines(
  base: Head | undefined,
  lines: readonly Uint8Array[],
  head: Head | undefined,
): number {
  const entries = lines.map(parseReadable)
  let prev: Digest | null = base?.digest ?? null
  let seq = base?.seq ?? -1
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined || entry.prev !== prev || entry.seq !== seq + 1) {
      const next = entries[index + 1]
      const isRight =
        entry !== undefined &&
        (next ? next.prev === entry.digest : entry.seq === head?.seq && entry.digest === head.digest)
      // The one before is known to be right by what the next line says, wherever else that is damaged.
      const isProven = index === 0 || names(lines[index] as Uint8Array, prev)
      return isProven && !isRight ? index : Math.max(0, index - 1)
    }
    prev = entry.digest
    seq = entry.seq
  }
  const isLast = head !== undefined && seq === head.seq
  return isLast && prev !== head.digest ? lines.length - 1 : lines.length
}

/** An entry as those after it know it. */
export interface EntryHead {
  readonly seq: number
  /** Undefined where nobody can tell: it is damaged, and so is what would say. */
  readonly digest: Digest | undefined
  readonly epoch: number
}

/**
 * The heads of stored lines, which begin at `first`, where some of them may be damaged: what the line after one says of it goes
 * before what it says itself, if that line is known to be right. `head`: what the store says of its last entry.
 */
export function entryHeads(
  first: number,
  lines: readonly Uint8Array[],
  head: Head | undefined,
): readonly EntryHead[] {
  const entries = lines.map(parseReadable)
  const isRight = (index: number): boolean => {
    const [entry, next] = [entries[index], entries[index + 1]]
    return entry !== undefined && (next ? next.prev : head?.digest) === entry.digest
  }
  return entries.map((entry, index) => {
    const seq = first + index
    const next = entries[index + 1]
    if (next && !isRight(index) && isRight(index + 1))
      return { seq, digest: next.prev ?? undefined, epoch: next.epoch - (next.kind === 'claim' ? 1 : 0) }
    const epoch = entry?.epoch ?? entries[index - 1]?.epoch ?? 0
    return { seq, digest: seq === head?.seq ? head.digest : entry?.digest, epoch }
  })
}

/** A header has this many bytes at most before its body. */
const headerBytes = 1_000

/** True for a line, damaged or not, that has this digest in its header: a quarter of it is proof enough. */
function names(line: Uint8Array, digest: Digest | null): boolean {
  if (digest === null) return false
  const header = String.fromCharCode(...line.subarray(0, headerBytes))
  return header.includes(digest.slice(0, 16)) || header.includes(digest.slice(-16))
}

/** The effects that lines start, as far as they can be read. */
export function effectsStarted(lines: readonly Uint8Array[], cipher?: Cipher): Damage['effects'] {
  let back: { readonly origin?: Digest } = {}
  return lines.flatMap((line) => {
    const entry = parseReadable(line)
    if (entry?.kind === 'rewind') back = { origin: entry.digest }
    const body = entry && starting.has(entry.kind) ? readableBody(entry, cipher) : undefined
    if (body === undefined) return []
    // A pause of damage before tells what that had started.
    if (entry?.kind === 'pause') return pausedFor(body).map((effect) => ({ ...effect, ...back }))
    const { path, key } = body as { readonly path?: unknown; readonly key?: unknown }
    return [{ path: String(path), key: String(key), ...back }]
  })
}

const starting: ReadonlySet<string> = new Set(['once.start', 'pause'])

function pausedFor(body: Json): Damage['effects'] {
  const { effects } = body as { readonly effects?: unknown }
  if (!Array.isArray(effects)) return []
  return effects.map(({ path, key }: { path?: unknown; key?: unknown }) => ({
    path: String(path),
    key: String(key),
  }))
}

/** A body that stands in its line; undefined for one that is elsewhere or cannot be opened. */
function readableBody(entry: ParsedEntry, cipher: Cipher | undefined): Json | undefined {
  if (entry.key === undefined) return entry.body
  try {
    return openBody(cipher, entry)
  } catch (error) {
    if (isWaystoneError(error, 'log_damaged') || isWaystoneError(error, 'key_missing')) return undefined
    throw error
  }
}

/** The header of a line, undefined when it cannot be read. Throws `format_newer` for a format of a later Waystone. */
export function parseReadable(line: Uint8Array): ParsedEntry | undefined {
  try {
    return parseLine(line)
  } catch (error) {
    // That is no damage: it is not touched.
    if (isWaystoneError(error, 'format_newer')) throw error
    return undefined
  }
}
