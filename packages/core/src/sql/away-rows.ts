import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { inflate } from '../deflate.ts'
import type { Digest, RunId } from '../ids.ts'
import type { HistoryObjects, HistoryRange } from '../ports/history.ts'
import { sameBytes } from '../state/bytes.ts'
import { isAway, isPacked, linesOf, plainLines, rowAt, type LogRow } from './log-rows.ts'
import { bytesOf, type Keys, type Sql } from './sql.ts'

/** Where the lines of a row are that are not in the database. */
export interface Away extends HistoryRange {
  readonly hash: Digest
  /** How many bytes the lines have once they are inflated. */
  readonly bytes: number
}

/** What a row is whose lines are away: a mark, the size of its lines, where they are in their object, and its hash. */
export const awayBytes = 45
const hashAt = 13

/** The inverse of `awayOf`. */
export function awayRow({ bytes, offset, length, hash }: Away, mark: number): Uint8Array {
  const row = new Uint8Array(awayBytes)
  const view = new DataView(row.buffer)
  row[0] = mark
  view.setUint32(1, bytes, true)
  view.setUint32(5, offset, true)
  view.setUint32(9, length, true)
  row.set(hexToBytes(hash), hashAt)
  return row
}

/** Where the lines of a row are, of which `isAway` is true. */
export function awayOf(row: LogRow): Away {
  const bytes = bytesOf(row.lines)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    bytes: view.getUint32(1, true),
    offset: view.getUint32(5, true),
    length: view.getUint32(9, true),
    hash: bytesToHex(bytes.subarray(hashAt)) as Digest,
  }
}

/** Reads lines wherever they are. */
export interface LineReader {
  /**
   * The lines of a row that was read from this database; undefined when the row has changed since so that they are not to be
   * had any more. What is damaged is a line that is none. Rejects when what is away cannot be asked for.
   */
  lines(run: RunId, keys: Keys, row: LogRow): Promise<readonly Uint8Array[] | undefined>
}

/** Reads lines in the database, and those that are away, from where they are. */
export function lineReader(sql: Sql, history?: HistoryObjects): LineReader {
  return {
    async lines(run, keys, row) {
      if (!isPacked(row)) return plainLines(row)
      if (!isAway(row)) return linesOf(row)
      const { hash, bytes, ...range } = awayOf(row)
      const stored = await history?.get(run, hash, range)
      // What deflating does not make smaller is kept as it is.
      const lines = stored && range.length < bytes ? await inflate(stored).catch(() => undefined) : stored
      if (lines) return plainLines({ ...row, lines })
      const now = rowAt(sql, keys, row.seq)
      const isThere = now?.seq === row.seq && sameBytes(bytesOf(now.lines), bytesOf(row.lines))
      return isThere ? [bytesOf(row.lines).slice()] : undefined
    },
  }
}
