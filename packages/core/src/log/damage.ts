import { isWaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import type { Head } from '../ports/log-store.ts'
import { parseLine, type ParsedEntry } from './entry.ts'

/** What was found damaged when a log was opened, and set aside. */
export interface Damage {
  /** The first entry that was set aside. */
  readonly seq: number
  /** Why it could not be used. */
  readonly reason: string
  /** The `once` effects that what was set aside had started, as far as it can be read. */
  readonly effects: readonly { readonly path: string; readonly key: string }[]
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
 * How many of these lines, which follow `base`, are as they were written. Where two do not fit together the second one is
 * right when the one after it, or the head that the store has, says so. `head`: what the store says of its last entry.
 */
export function soundLines(
  base: Head | undefined,
  lines: readonly Uint8Array[],
  head: Head | undefined,
): number {
  const entries = lines.map(parsed)
  let prev: Digest | null = base?.digest ?? null
  let seq = base?.seq ?? -1
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined) return index
    if (entry.prev !== prev || entry.seq !== seq + 1) {
      const next = entries[index + 1]
      const confirmed = next
        ? next.prev === entry.digest
        : entry.seq === head?.seq && entry.digest === head.digest
      return confirmed ? Math.max(0, index - 1) : index
    }
    prev = entry.digest
    seq = entry.seq
  }
  const isLast = head !== undefined && seq === head.seq
  return isLast && prev !== head.digest ? lines.length - 1 : lines.length
}

/** The effects that lines start, as far as they can be read. */
export function effectsStarted(lines: readonly Uint8Array[]): Damage['effects'] {
  return lines.flatMap((line) => {
    const entry = parsed(line)
    if (entry?.kind !== 'once.start' || entry.body === undefined) return []
    const { path, key } = entry.body as { readonly path?: unknown; readonly key?: unknown }
    return [{ path: String(path), key: String(key) }]
  })
}

function parsed(line: Uint8Array): ParsedEntry | undefined {
  try {
    return parseLine(line)
  } catch (error) {
    // A format of a later Waystone is no damage: it is not touched.
    if (isWaystoneError(error, 'format_newer')) throw error
    return undefined
  }
}
