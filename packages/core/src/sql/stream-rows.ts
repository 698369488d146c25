import { lazyTable, type Table } from './lazy-table.ts'
import { bytesOf, firstOf, type Sql } from './sql.ts'

/** Some rows a stream. */
export const streamsTable: Table = {
  name: 'waystone_streams',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_streams (stream TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (stream, at)) WITHOUT ROWID',
}

/** Text of one row, in UTF-16 units: below the 2 MB that a row of a Durable Object may have, whatever the text. */
const rowCharsMax = 500_000

/** A piece of a stream and its position, both in UTF-16 units. */
interface StreamRow {
  readonly at: number
  readonly text: string
}

/** The text of streams in rows, by their position. */
export interface StreamRows {
  /** Puts text at its position and forgets what was there and after it. Text after a gap is not taken. */
  put(stream: string, at: number, text: string): void
  /** All text from a position on. */
  from(stream: string, at: number): string
  /** The row that has the character at a position, or the last one before it. */
  row(stream: string, at: number): StreamRow | undefined
  length(stream: string): number
  remove(stream: string): void
  /** The streams that have text. */
  names(): readonly string[]
}

/** Streams in SQLite. */
export function streamRows(sql: Sql): StreamRows {
  const table = lazyTable(sql, streamsTable)
  const rows = (where: string, ...values: readonly (string | number)[]): Iterable<StoredRow> =>
    table.isThere()
      ? sql.rows<StoredRow>(`SELECT at, text FROM waystone_streams WHERE stream = ? AND ${where}`, ...values)
      : []
  const streams: StreamRows = {
    put(stream, at, text) {
      table.make()
      sql.transaction('relaxed', () => {
        if (at > streams.length(stream)) return
        sql.run('DELETE FROM waystone_streams WHERE stream = ? AND at >= ?', stream, at)
        const last = streams.row(stream, at)
        if (last && last.at + last.text.length > at) {
          const stays = toStored(last.text.slice(0, at - last.at))
          sql.run('UPDATE waystone_streams SET text = ? WHERE stream = ? AND at = ?', stays, stream, last.at)
        }
        for (let from = 0; from < text.length; from += rowCharsMax) {
          sql.run(
            'INSERT INTO waystone_streams (stream, at, text) VALUES (?, ?, ?)',
            stream,
            at + from,
            toStored(text.slice(from, from + rowCharsMax)),
          )
        }
      })
    },
    from(stream, at) {
      const first = streams.row(stream, at)
      if (first === undefined) return ''
      return [...rows('at >= ? ORDER BY at', stream, first.at)]
        .map(({ text }) => fromStored(text))
        .join('')
        .slice(at - first.at)
    },
    row(stream, at) {
      const row = firstOf(rows('at <= ? ORDER BY at DESC LIMIT 1', stream, at))
      return row && { at: row.at, text: fromStored(row.text) }
    },
    length(stream) {
      const last = streams.row(stream, Number.MAX_SAFE_INTEGER)
      return last === undefined ? 0 : last.at + last.text.length
    },
    remove(stream) {
      if (table.isThere()) sql.run('DELETE FROM waystone_streams WHERE stream = ?', stream)
    },
    names() {
      if (!table.isThere()) return []
      const all = sql.rows<{ stream: string }>('SELECT DISTINCT stream FROM waystone_streams')
      return [...all].map(({ stream }) => stream)
    },
  }
  return streams
}

interface StoredRow {
  readonly at: number
  readonly text: string | Uint8Array | ArrayBuffer
}

/** Text as it is stored: as bytes of UTF-16 where SQLite would change it, which keeps no halves of pairs and no NUL. */
function toStored(text: string): string | Uint8Array {
  if (text.isWellFormed() && !text.includes('\0')) return text
  const units = new DataView(new ArrayBuffer(text.length * 2))
  for (let at = 0; at < text.length; at += 1) units.setUint16(at * 2, text.charCodeAt(at), true)
  return new Uint8Array(units.buffer)
}

function fromStored(stored: StoredRow['text']): string {
  if (typeof stored === 'string') return stored
  const bytes = bytesOf(stored)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let text = ''
  for (let at = 0; at < bytes.byteLength; at += 2) text += String.fromCharCode(view.getUint16(at, true))
  return text
}
