import type { Streams, StreamText } from '@waystone/core'

const schema = `
  CREATE TABLE IF NOT EXISTS streams (stream TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (stream, at)) WITHOUT ROWID;
`

/** Text is stored this often at most: a row costs the same for a word as for a paragraph. In ms. */
const storeEveryMs = 250

/**
 * The streams of the one run that lives in this object. Text of the last moment may be lost with the process: its step
 * has no outcome yet then, and goes on from what is stored.
 */
export function sqlStreams({ sql }: DurableObjectStorage): Streams & { names(): readonly string[] } {
  sql.exec(schema)
  const pending = new Map<string, StreamText & { readonly since: number }>()
  const store = (stream: string): void => {
    const chunk = pending.get(stream)
    pending.delete(stream)
    // After a gap the text could not be told from what is missing.
    if (chunk === undefined || chunk.at > lengthOf(sql, stream)) return
    sql.exec('DELETE FROM streams WHERE stream = ? AND at >= ?', stream, chunk.at)
    cutLast(sql, stream, chunk.at)
    if (chunk.text !== '')
      sql.exec('INSERT INTO streams (stream, at, text) VALUES (?, ?, ?)', stream, chunk.at, chunk.text)
  }
  const read = (stream: string): string => {
    store(stream)
    const rows = sql
      .exec<{ text: string }>('SELECT text FROM streams WHERE stream = ? ORDER BY at', stream)
      .toArray()
    return rows.map(({ text }) => text).join('')
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
    read: (_run, stream, from) => Promise.resolve({ at: from, text: read(stream).slice(from) }),
    remove: (_run, streams) => {
      for (const stream of streams) {
        pending.delete(stream)
        sql.exec('DELETE FROM streams WHERE stream = ?', stream)
      }
      return Promise.resolve()
    },
    names: () => {
      for (const stream of [...pending.keys()]) store(stream)
      return sql
        .exec<{ stream: string }>('SELECT DISTINCT stream FROM streams')
        .toArray()
        .map(({ stream }) => stream)
    },
  }
}

/** Cuts the row that reaches beyond `at`. */
function cutLast(sql: SqlStorage, stream: string, at: number): void {
  const last = lastRow(sql, stream)
  if (last === undefined || last.at + last.text.length <= at) return
  sql.exec(
    'UPDATE streams SET text = ? WHERE stream = ? AND at = ?',
    last.text.slice(0, at - last.at),
    stream,
    last.at,
  )
}

/** How many UTF-16 units of a stream are stored. */
function lengthOf(sql: SqlStorage, stream: string): number {
  const last = lastRow(sql, stream)
  return last === undefined ? 0 : last.at + last.text.length
}

function lastRow(
  sql: SqlStorage,
  stream: string,
): { readonly at: number; readonly text: string } | undefined {
  return sql
    .exec<{ at: number; text: string }>(
      'SELECT at, text FROM streams WHERE stream = ? ORDER BY at DESC LIMIT 1',
      stream,
    )
    .toArray()[0]
}
