import {
  headOfLine,
  joinLines,
  limits,
  planAppend,
  splitLines,
  type Append,
  type Head,
  type LogStore,
  type RunId,
  type RunSummary,
  type SetAside,
} from '@waystone/core'

/** What the log of one run is kept in: an object's SQLite. One row an append, however many entries it has. */
const schema = `
  CREATE TABLE IF NOT EXISTS waystone_log (seq INTEGER PRIMARY KEY, entries INTEGER NOT NULL, time INTEGER NOT NULL, lines BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS waystone_aside (number INTEGER PRIMARY KEY, name TEXT NOT NULL, reason TEXT NOT NULL, time INTEGER NOT NULL, lines BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS waystone_summary (one INTEGER PRIMARY KEY, json TEXT NOT NULL);
`

/** A log store that also says when it last took an append, by the clock of the edge. */
export type SqlLogStore = LogStore & { lastAppend(): number | undefined }

interface LogRow extends Record<string, SqlStorageValue> {
  seq: number
  entries: number
  time: number
  lines: ArrayBuffer
}

/**
 * The log of the one run that lives in this object. Writes are synchronous, so the compare-and-set needs no lock; only
 * `transactionSync` takes back what was written when something throws (workerd, 2026-11). The runtime holds back
 * every answer until the rows are durable.
 */
export function sqlLogStore(storage: DurableObjectStorage): SqlLogStore {
  const { sql } = storage
  sql.exec(schema)
  const lastRow = (): LogRow | undefined =>
    sql.exec<LogRow>('SELECT * FROM waystone_log ORDER BY seq DESC LIMIT 1').toArray()[0]
  const rowOf = (seq: number): LogRow | undefined =>
    sql.exec<LogRow>('SELECT * FROM waystone_log WHERE seq <= ? ORDER BY seq DESC LIMIT 1', seq).toArray()[0]
  const at = (seq: number): Head | undefined => {
    const row = rowOf(seq)
    const line = row && linesOf(row)[seq - row.seq]
    return line && headOfLine(line)
  }
  const insert = (from: number, lines: readonly Uint8Array[]): void => {
    for (const batch of batches(lines)) {
      sql.exec(
        'INSERT INTO waystone_log (seq, entries, time, lines) VALUES (?, ?, ?, ?)',
        from,
        batch.length,
        Date.now(),
        joinLines(batch),
      )
      from += batch.length
    }
  }
  /** Takes away entries from `keep` on and returns them. */
  const cut = (keep: number): readonly Uint8Array[] => {
    const row = rowOf(keep)
    if (row === undefined || row.seq + row.entries <= keep) return []
    const rows = sql.exec<LogRow>('SELECT * FROM waystone_log WHERE seq >= ? ORDER BY seq', row.seq).toArray()
    const lines = rows.flatMap(linesOf)
    sql.exec('DELETE FROM waystone_log WHERE seq >= ?', row.seq)
    if (keep > row.seq) insert(row.seq, lines.slice(0, keep - row.seq))
    return lines.slice(keep - row.seq)
  }

  return {
    append: (_run: RunId, append: Append) =>
      Promise.resolve(
        storage.transactionSync(() => {
          const plan = planAppend(append, headOf(lastRow()), at)
          if (!plan.ok) return plan
          const aside = append.setAside ? cut(plan.keep) : []
          if (append.setAside && aside.length > 0) {
            const { reason, time } = append.setAside
            sql.exec(
              'INSERT INTO waystone_aside (name, reason, time, lines) VALUES (?, ?, ?, ?)',
              `${String(plan.keep)}-${String(time)}`,
              reason,
              time,
              joinLines(aside),
            )
          }
          insert(plan.keep, plan.lines)
          const isRepeat = plan.lines.length === 0 && append.lines.length > 0 && aside.length === 0
          if (append.summary && !isRepeat) {
            sql.exec(
              'INSERT OR REPLACE INTO waystone_summary (one, json) VALUES (1, ?)',
              JSON.stringify(append.summary),
            )
          }
          return { ok: true as const, head: plan.head }
        }),
      ),
    read: (_run, from) => {
      const lines: Uint8Array[] = []
      let bytes = 0
      const first = rowOf(from)
      if (first === undefined) return Promise.resolve(lines)
      for (const row of sql.exec<LogRow>(
        'SELECT * FROM waystone_log WHERE seq >= ? ORDER BY seq',
        first.seq,
      )) {
        for (const line of linesOf(row).slice(Math.max(0, from - row.seq))) {
          if (bytes > 0 && bytes + line.byteLength > limits.pageBytesMax) return Promise.resolve(lines)
          lines.push(line)
          bytes += line.byteLength
        }
      }
      return Promise.resolve(lines)
    },
    head: () => Promise.resolve(headOf(lastRow())),
    // An object has one run; the list of all is the catalog's.
    list: () => {
      const rows = sql.exec<{ json: string }>('SELECT json FROM waystone_summary').toArray()
      return Promise.resolve(rows.map(({ json }) => JSON.parse(json) as RunSummary))
    },
    setAside: () => {
      const rows = sql
        .exec<{ name: string; reason: string; time: number; lines: ArrayBuffer }>(
          'SELECT name, reason, time, lines FROM waystone_aside ORDER BY number',
        )
        .toArray()
      return Promise.resolve(
        rows.map(({ lines, ...rest }): SetAside => ({ ...rest, lines: splitLines(new Uint8Array(lines)) })),
      )
    },
    close: () => Promise.resolve(),
    lastAppend: () => lastRow()?.time,
  }
}

/** Rows below the 2 MB that one may have in production. */
function batches(lines: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const done: Uint8Array[][] = []
  let bytes = Infinity
  for (const line of lines) {
    if (bytes + line.byteLength > limits.pageBytesMax) {
      done.push([])
      bytes = 0
    }
    done.at(-1)?.push(line)
    bytes += line.byteLength
  }
  return done
}

function linesOf(row: LogRow): Uint8Array[] {
  return splitLines(new Uint8Array(row.lines))
}

function headOf(row: LogRow | undefined): Head | undefined {
  const line = row && linesOf(row).at(-1)
  return line && headOfLine(line)
}
