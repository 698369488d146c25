import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { WaystoneError } from '@waystone/core'
import type { Sql, SqlValue } from '@waystone/core/sql'
import { sqliteClosed, sqliteError } from './sqlite-error.ts'

/** A database file that is open. */
export interface SqliteSql extends Sql {
  /** Gives some pages that nothing uses back to the file system; true when there may be more. */
  shrink(): boolean
  close(): void
}

/** Most rows are entries of 1 to 3 KB: in pages of this size they waste half of what they do in SQLite's own of 4 KB. */
const pageBytes = 2_048

/** Pages that are given back in one transaction, so that it is short. */
const pagesShrunkAtOnce = 500

/** Opens or makes a database file. Throws `storage_failed`, `storage_full`. */
export function openSqlite(path: string, busyMsMax: number): SqliteSql {
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw sqliteError(error, path)
    }
  }
  const db = guarded(() => new DatabaseSync(path, { timeout: busyMsMax }))
  const statements = new Map<string, StatementSync>()
  const prepared = (query: string): StatementSync => {
    if (!db.isOpen) throw sqliteClosed(path)
    const known = statements.get(query)
    if (known) return known
    const made = db.prepare(query)
    statements.set(query, made)
    return made
  }
  let synchronous: 'FULL' | 'NORMAL' | undefined

  const sql: SqliteSql = {
    run(query, ...values) {
      guarded(() => prepared(query).run(...values.map(bound)))
    },
    *rows<Row>(query: string, ...values: readonly SqlValue[]): Generator<Row> {
      const rows = guarded(() => prepared(query).iterate(...values.map(bound)))
      try {
        for (;;) {
          const { done, value } = guarded(() => rows.next())
          if (done) return
          yield value as unknown as Row
        }
      } finally {
        // A statement that is not run to its end holds back the log of changes from being folded in.
        rows.return?.()
      }
    },
    transaction(durability, work) {
      const wanted = durability === 'strict' ? 'FULL' : 'NORMAL'
      // Not a prepared statement: it may take effect when it is compiled, not when it runs (SQLite 3.53, 2026-11).
      if (wanted !== synchronous && db.isOpen) guarded(() => db.exec(`PRAGMA synchronous = ${wanted}`))
      synchronous = wanted
      sql.run('BEGIN IMMEDIATE')
      try {
        const result = work()
        sql.run('COMMIT')
        return result
      } catch (error) {
        // Some failures, such as a full disk, have rolled back already.
        if (db.isOpen && db.isTransaction) db.exec('ROLLBACK')
        throw error
      }
    },
    task: () => new Promise((resolve) => setImmediate(resolve)),
    shrink() {
      // One row for each page: who does not read them all gives back the first page only.
      const pages = guarded(() => prepared(`PRAGMA incremental_vacuum(${String(pagesShrunkAtOnce)})`).all())
      return pages.length === pagesShrunkAtOnce
    },
    close() {
      if (db.isOpen) guarded(() => db.close())
    },
  }
  try {
    layOut(sql)
    useWal(sql, path)
    return sql
  } catch (error) {
    db.close()
    throw error
  }
}

/** Only a file that is still empty takes these; any other keeps the layout that it has. */
function layOut(sql: Sql): void {
  sql.run(`PRAGMA page_size = ${String(pageBytes)}`)
  sql.run('PRAGMA auto_vacuum = INCREMENTAL')
}

/** The write-ahead log lets others read while one writes, and makes a transaction one write at the end of a file. */
function useWal(sql: Sql, path: string): void {
  const [row] = sql.rows<{ journal_mode: string }>('PRAGMA journal_mode = WAL')
  if (row?.journal_mode !== 'wal' && path !== ':memory:') {
    throw new WaystoneError(
      'storage_failed',
      `the file system of ${path} does not offer what a write-ahead log needs: use a local one`,
    )
  }
  // Without it macOS says that a file is on disk when it is in the drive's memory.
  sql.run('PRAGMA fullfsync = ON')
}

function bound(value: SqlValue): string | number | null | Uint8Array {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value
}
