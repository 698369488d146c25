import type { Streams, StreamText } from '@waystone/core'

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_streams (stream TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (stream, at)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS waystone_stream_cuts (stream TEXT PRIMARY KEY, cuts INTEGER NOT NULL) WITHOUT ROWID;
`

/** Text is stored this often at most: a row costs the same for a word as for a paragraph. In ms. */
export const storeEveryMs = 250

/** Text of one row, in UTF-16 units: below the 2 MB that a row may have, whatever the text. */
const rowCharsMax = 500_000

/** What a reader with a cursor compares: its cursor counts as long as both say so. */
export interface StreamExtent {
  /** How often text that was stored has been taken back. */
  readonly cuts: number
  /** How much is stored, in UTF-16 units. */
  readonly length: number
}

/** The streams of an object, with what readers need that come back with a cursor. */
export interface SqlStreams extends Streams {
  /** The streams that have text. */
  names(): readonly string[]
  /** Stores what is pending first. */
  extent(stream: string): StreamExtent
  /** Some text from a position on, at most `charsMax` UTF-16 units; empty at the end. Reads one row. */
  page(stream: string, from: number, charsMax: number): string
  /** Forgets streams for good; `remove` still knows that there was text. */
  forget(streams: readonly string[]): void
}

/**
 * The streams of the one run that lives in this object. Text of the last moment may be lost with the process: its step
 * has no outcome yet then, and goes on from what is stored.
 */
export function sqlStreams({ sql }: DurableObjectStorage): SqlStreams {
  sql.exec(schema)
  const pending = new Map<string, StreamText & { readonly since: number }>()
  const store = (stream: string): void => {
    const chunk = pending.get(stream)
    pending.delete(stream)
    // After a gap the text could not be told from what is missing.
    if (chunk === undefined || chunk.at > lengthOf(sql, stream)) return
    if (!chunk.text.startsWith(textFrom(sql, stream, chunk.at))) countCut(sql, stream)
    sql.exec('DELETE FROM waystone_streams WHERE stream = ? AND at >= ?', stream, chunk.at)
    cutLast(sql, stream, chunk.at)
    for (let from = 0; from < chunk.text.length; from += rowCharsMax) {
      sql.exec(
        'INSERT INTO waystone_streams (stream, at, text) VALUES (?, ?, ?)',
        stream,
        chunk.at + from,
        chunk.text.slice(from, from + rowCharsMax),
      )
    }
  }
  return {
    append: (_run, stream, { at, text }) => {
      const before = pending.get(stream)
      const joins = before !== undefined && before.at + before.text.length === at
      if (before !== undefined && !joins) store(stream)
      const chunk = joins ? { ...before, text: before.text + text } : { at, text, since: Date.now() }
      pending.set(stream, chunk)
      if (Date.now() - chunk.since >= storeEveryMs) store(stream)
      return Promise.resolve()
    },
    read: (_run, stream, from) => {
      store(stream)
      return Promise.resolve({ at: from, text: textFrom(sql, stream, from) })
    },
    remove: (_run, streams) => {
      for (const stream of streams) {
        store(stream)
        if (lengthOf(sql, stream) > 0) countCut(sql, stream)
        sql.exec('DELETE FROM waystone_streams WHERE stream = ?', stream)
      }
      return Promise.resolve()
    },
    names: () => {
      for (const stream of [...pending.keys()]) store(stream)
      return sql
        .exec<{ stream: string }>('SELECT DISTINCT stream FROM waystone_streams')
        .toArray()
        .map(({ stream }) => stream)
    },
    extent: (stream) => {
      store(stream)
      return { cuts: cutsOf(sql, stream), length: lengthOf(sql, stream) }
    },
    page: (stream, from, charsMax) => {
      const row = rowAt(sql, stream, from)
      return row === undefined ? '' : row.text.slice(from - row.at, from - row.at + charsMax)
    },
    forget: (streams) => {
      for (const stream of streams) {
        pending.delete(stream)
        sql.exec('DELETE FROM waystone_streams WHERE stream = ?', stream)
        sql.exec('DELETE FROM waystone_stream_cuts WHERE stream = ?', stream)
      }
    },
  }
}

/** Stored text from a position on. */
function textFrom(sql: SqlStorage, stream: string, from: number): string {
  const first = rowAt(sql, stream, from)
  if (first === undefined) return ''
  const rows = sql
    .exec<{ text: string }>(
      'SELECT text FROM waystone_streams WHERE stream = ? AND at >= ? ORDER BY at',
      stream,
      first.at,
    )
    .toArray()
  return rows
    .map(({ text }) => text)
    .join('')
    .slice(from - first.at)
}

function cutsOf(sql: SqlStorage, stream: string): number {
  const [row] = sql
    .exec<{ cuts: number }>('SELECT cuts FROM waystone_stream_cuts WHERE stream = ?', stream)
    .toArray()
  return row?.cuts ?? 0
}

function countCut(sql: SqlStorage, stream: string): void {
  sql.exec(
    'INSERT OR REPLACE INTO waystone_stream_cuts (stream, cuts) VALUES (?, ?)',
    stream,
    cutsOf(sql, stream) + 1,
  )
}

/** Cuts the row that reaches beyond `at`. */
function cutLast(sql: SqlStorage, stream: string, at: number): void {
  const last = rowAt(sql, stream, Number.MAX_SAFE_INTEGER)
  if (last === undefined || last.at + last.text.length <= at) return
  sql.exec(
    'UPDATE waystone_streams SET text = ? WHERE stream = ? AND at = ?',
    last.text.slice(0, at - last.at),
    stream,
    last.at,
  )
}

/** How many UTF-16 units of a stream are stored. */
function lengthOf(sql: SqlStorage, stream: string): number {
  const last = rowAt(sql, stream, Number.MAX_SAFE_INTEGER)
  return last === undefined ? 0 : last.at + last.text.length
}

/** The row that has the character at a position, or the last one before it. */
function rowAt(
  sql: SqlStorage,
  stream: string,
  at: number,
): { readonly at: number; readonly text: string } | undefined {
  return sql
    .exec<{ at: number; text: string }>(
      'SELECT at, text FROM waystone_streams WHERE stream = ? AND at <= ? ORDER BY at DESC LIMIT 1',
      stream,
      at,
    )
    .toArray()[0]
}
