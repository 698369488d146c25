import type { Streams, StreamText } from '@waystone/core'
import { firstOf, lazyTable, streamRows, type Sql, type Table } from '@waystone/core/sql'

const cutsTable: Table = {
  name: 'waystone_stream_cuts',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_stream_cuts (stream TEXT PRIMARY KEY, cuts INTEGER NOT NULL) WITHOUT ROWID',
}

/** Text is stored this often, and no more often: a row costs the same for a word as for a paragraph. In ms. */
export const storeEveryMs = 250

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
export function sqlStreams(sql: Sql): SqlStreams {
  const rows = streamRows(sql)
  const cuts = lazyTable(sql, cutsTable)
  const cutsOf = (stream: string): number => {
    const query = 'SELECT cuts FROM waystone_stream_cuts WHERE stream = ?'
    return cuts.isThere() ? (firstOf(sql.rows<{ cuts: number }>(query, stream))?.cuts ?? 0) : 0
  }
  const countCut = (stream: string): void => {
    cuts.make()
    const query = 'INSERT OR REPLACE INTO waystone_stream_cuts (stream, cuts) VALUES (?, ?)'
    sql.run(query, stream, cutsOf(stream) + 1)
  }
  const pending = new Map<string, StreamText & { readonly since: number }>()
  const store = (stream: string): void => {
    const chunk = pending.get(stream)
    // After a gap the text could not be told from what is missing.
    if (chunk !== undefined && chunk.at <= rows.length(stream)) {
      if (!chunk.text.startsWith(rows.from(stream, chunk.at))) countCut(stream)
      rows.put(stream, chunk.at, chunk.text)
    }
    pending.delete(stream)
  }
  /** A body that says nothing more for a while, or an owner that does, has nobody else to store what it has said. */
  const storeInTime = async (stream: string, since: number): Promise<void> => {
    await scheduler.wait(storeEveryMs)
    if (pending.get(stream)?.since === since) store(stream)
  }
  // What failed is still to be stored: whoever writes or reads next tries again, and hears of it.
  const left = (): void => undefined
  return {
    append: (_run, stream, { at, text }) => {
      const before = pending.get(stream)
      const joins = before !== undefined && before.at + before.text.length === at
      if (before !== undefined && !joins) store(stream)
      const chunk = joins ? { ...before, text: before.text + text } : { at, text, since: Date.now() }
      pending.set(stream, chunk)
      if (Date.now() - chunk.since >= storeEveryMs) store(stream)
      else if (!joins) void storeInTime(stream, chunk.since).catch(left)
      return Promise.resolve()
    },
    read: (_run, stream, from) => {
      store(stream)
      return Promise.resolve({ at: from, text: rows.from(stream, from) })
    },
    remove: (_run, streams) => {
      for (const stream of streams) {
        store(stream)
        if (rows.length(stream) > 0) countCut(stream)
        rows.remove(stream)
      }
      return Promise.resolve()
    },
    names: () => {
      for (const stream of [...pending.keys()]) store(stream)
      return rows.names()
    },
    extent: (stream) => {
      store(stream)
      return { cuts: cutsOf(stream), length: rows.length(stream) }
    },
    page: (stream, from, charsMax) => {
      const row = rows.row(stream, from)
      return row === undefined ? '' : row.text.slice(from - row.at, from - row.at + charsMax)
    },
    forget: (streams) => {
      for (const stream of streams) {
        pending.delete(stream)
        rows.remove(stream)
        if (cuts.isThere()) sql.run('DELETE FROM waystone_stream_cuts WHERE stream = ?', stream)
      }
    },
  }
}
