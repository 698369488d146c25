import { limits, type LogStore, type RunId, type RunStorage } from '@waystone/core'
import {
  runTables,
  sqlInbox,
  sqlLogStore,
  sqlSnapshots,
  sqlTails,
  summariesIn,
  type Packing,
  type Sql,
} from '@waystone/core/sql'
import { sqliteBlobs } from './sqlite-blobs.ts'
import { prepareSchema, storedRuns } from './sqlite-schema.ts'
import { openSqlite, type SqliteSql } from './sqlite-sql.ts'
import { sqliteStreams } from './sqlite-streams.ts'

/** How a file is opened. */
export interface SqliteOptions {
  /** How long a write waits for another process that writes, in ms. Default 5,000. */
  readonly busyMsMax?: number
}

const busyMsMax = 5_000

/** Old rows are packed many at a time, since entries are much alike; there is nothing to be paid for a row. */
const packing: Packing = { groupBytes: 256_000, savedBytesMin: 0 }

/**
 * Keeps runs in a SQLite file, which is made when it is not there. The file may be an application's own: all tables are
 * named `waystone_...`, and it is switched to a write-ahead log, which stands beside it as `<path>-wal`.
 *
 * What was acknowledged survives: `relaxed` a killed process, but not a power loss or a crash of the operating system,
 * which may take the last transactions, never one from between; `strict`, and all that came before it, these too, since
 * it waits until the drive says that the bytes are on it (`fsync`, on macOS `F_FULLFSYNC`).
 *
 * Several processes of one machine may open one file: each append is a transaction of its own, in which the head is
 * compared, so that one of two writers wins. A network file system is refused where it says what it is not.
 *
 * Throws `storage_failed`, also for a file that is no database, which is left as it is; `storage_full`; `format_newer`
 * for a file of a later Waystone. From then on operations reject with `storage_failed`, `storage_full` or, after
 * `store.close`, `closed`, and have stored nothing. Rows that are not what was written are read as they are: who reads a
 * log finds what is damaged, and sets it aside.
 *
 * @example
 * const storage = sqliteStorage('runs.db')
 */
export function sqliteStorage(path: string, options: SqliteOptions = {}): RunStorage {
  const sql = openSqlite(path, options.busyMsMax ?? busyMsMax)
  try {
    // All tables in one go, whoever else opens the file at this moment.
    return sql.transaction('strict', () => {
      prepareSchema(sql, path)
      for (const { schema } of runTables) sql.run(schema)
      return storageIn(sql)
    })
  } catch (error) {
    sql.close()
    throw error
  }
}

function storageIn(sql: SqliteSql): RunStorage {
  const runs = storedRuns(sql)
  const log = sqlLogStore(sql, runs, { packing, close: () => sql.close() })
  return {
    store: {
      ...log,
      list: listOf(sql),
      async compact(run, compaction) {
        const isDone = await log.compact(run, compaction)
        while (sql.shrink()) await sql.task()
        return isDone
      },
    },
    tails: sqlTails(sql, runs),
    snapshots: sqlSnapshots(sql, runs),
    blobs: sqliteBlobs(sql, runs),
    inbox: sqlInbox(sql, runs),
    streams: sqliteStreams(sql, runs),
  }
}

function listOf(sql: Sql): LogStore['list'] {
  return async (after?: RunId) =>
    summariesIn(
      sql.rows(
        `SELECT s.json FROM waystone_runs r JOIN waystone_summary s ON s.one = r.number
          WHERE r.run > ? ORDER BY r.run LIMIT ?`,
        after ?? '',
        limits.listRunsMax,
      ),
    )
}
