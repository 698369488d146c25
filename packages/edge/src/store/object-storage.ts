import type { Digest, RunId, RunStorage } from '@waystone/core'
import {
  sqlInbox,
  sqlLogStore,
  sqlSnapshots,
  sqlTails,
  type Packing,
  type SqlLogStore,
} from '@waystone/core/sql'
import { durableSql, oneRun } from './durable-sql.ts'
import { objectBlobs } from './object-blobs.ts'
import { blobSizes, listBlobs, oldBlobs, r2Blobs } from './r2-blobs.ts'
import { r2History } from './r2-history.ts'
import { rowBlobs, type RowBlobs } from './row-blobs.ts'
import { runHistory, type HistoryOptions, type RunHistory } from './run-history.ts'
import { sqlLargeBlobs, type SqlLargeBlobs } from './sql-large-blobs.ts'
import { sqlStreams, type SqlStreams } from './sql-streams.ts'
import { blobFolder, onlyTenant } from './tenant-names.ts'

/** What an object keeps of its run, with what only the object itself needs. */
export interface ObjectStorage extends RunStorage {
  readonly store: SqlLogStore
  readonly streams: SqlStreams
  /** Those of its blobs that are rows. */
  readonly rowBlobs: RowBlobs
  /** What the others come to. */
  readonly largeBlobs: SqlLargeBlobs
  /** Finds out what became of blobs that were to be in the bucket by now, and gives room back that was kept for others. */
  settleBlobs(run: RunId, now: number): Promise<void>
  /** The hashes of all blobs of the run, by pages. */
  allBlobs(run: RunId): AsyncGenerator<readonly Digest[], void>
  /** Some of its blobs that were put before a time, in ms since 1970, and when the first of the others was. */
  oldBlobs(
    run: RunId,
    before: number,
  ): Promise<{ readonly old: readonly Digest[]; readonly next: number | undefined }>
  /** What moves the history of its run into the bucket. */
  history(run: RunId, options?: HistoryOptions): RunHistory
}

const listedAtOnce = 1_000
/** So many of them, of rows and of the bucket, are looked at for whether anything names them. */
const oldAtOnce = 10_000

/**
 * A row that is rewritten or deleted costs as much as 5 KB kept for a month (2026): each row is packed by itself, and
 * only when that saves more.
 */
const packing: Packing = { groupBytes: 0, savedBytesMin: 5_000 }

/** The storage of the one run that lives in an object: its SQLite, and R2 for large blobs. */
export function objectStorage(
  storage: DurableObjectStorage,
  bucket: R2Bucket,
  tenant = onlyTenant,
): ObjectStorage {
  const sql = durableSql(storage)
  const rows = rowBlobs(sql)
  const largeBlobs = sqlLargeBlobs(sql)
  const objects = r2History(bucket, tenant)
  return {
    store: sqlLogStore(sql, oneRun, { packing, history: objects }),
    tails: sqlTails(sql, oneRun),
    snapshots: sqlSnapshots(sql, oneRun),
    blobs: objectBlobs(rows, r2Blobs(bucket, tenant, largeBlobs)),
    inbox: sqlInbox(sql, oneRun),
    streams: sqlStreams(sql),
    rowBlobs: rows,
    largeBlobs,
    async settleBlobs(run, now) {
      const overdue = largeBlobs.overdue(now)
      if (overdue.length === 0) return
      const hashes = overdue.map(({ hash }) => hash)
      const found = await blobSizes(bucket, tenant, run, hashes)
      largeBlobs.remove(hashes.filter((hash) => !found.has(hash)))
      for (const [hash, bytes] of found) largeBlobs.add({ hash, bytes })
    },
    async *allBlobs(run) {
      for (
        let some = rows.list('', listedAtOnce);
        some.length > 0;
        some = rows.list(some.at(-1) ?? '', listedAtOnce)
      )
        yield some
      yield* listBlobs(bucket, tenant, run)
    },
    async oldBlobs(run, before) {
      const [small, large] = [
        rows.old(before, oldAtOnce),
        await oldBlobs(bucket, blobFolder(tenant, run), before, oldAtOnce),
      ]
      const next = Math.min(small.next ?? Infinity, large.next ?? Infinity)
      return { old: [...small.old, ...large.old], next: next === Infinity ? undefined : next }
    },
    history: (run, options) => runHistory(run, { sql, runs: oneRun, objects }, options),
  }
}
