import { WaystoneError, type RunFamily, type RunId } from '@waystone/core'
import { catalogName } from '../catalog/catalog-outbox.ts'
import { isIndexed, searchName } from '../search/search-outbox.ts'
import { durableSql } from '../store/durable-sql.ts'
import { clearBlobs } from '../store/r2-blobs.ts'
import type { DueTimes } from '../store/sql-due-times.ts'
import type { RunName, SqlRunName } from '../store/sql-run-name.ts'
import { familyTableName } from '../store/sql-family.ts'
import { largeBlobsTableName, sqlLargeBlobs } from '../store/sql-large-blobs.ts'
import { blobsName } from './blob-sweep.ts'
import { familyName, historyName, lentName, runName, streamsName, type EdgeRun } from './edge-run.ts'
import type { RunHostOptions } from './run-host-options.ts'

/** When a deletion that was not finished goes on, relatives are told of it, and blobs are removed that have come since. */
export const deletionName = 'waystone.deletion'

/** What there is of a run that was deleted. */
export interface ClearPorts {
  readonly durable: DurableObjectStorage
  readonly options: RunHostOptions
  readonly times: DueTimes
  readonly named: SqlRunName
  /** The run, if it was open: it is closed. */
  readonly edgeRun: EdgeRun | undefined
  readonly family: RunFamily | undefined
  /** What is under way to others. */
  readonly telling: ReadonlySet<Promise<void>>
}

/**
 * Empties the object of a run that was deleted, and has everybody else forget it. Who its relatives are stays: they are told
 * afterwards, since one that cannot be told keeps nothing here. Which blobs are on their way to R2 stays, too: they may come after
 * this, and with nobody left to remove them. May be done again; resolves with when it is to be for their sake, in ms since 1970.
 */
export async function clearRun({ run, tenant }: RunName, ports: ClearPorts): Promise<number | undefined> {
  const { durable, options, times, named, edgeRun, family, telling } = ports
  edgeRun?.changes.now()
  await edgeRun?.keeper.close()
  // Also what was just about to be stored.
  edgeRun?.storage.streams.forget(edgeRun.storage.streams.names())
  // What is under way to others gets there before they are told to forget.
  await Promise.allSettled(telling)
  await edgeRun?.history.close()
  const coming = sqlLargeBlobs(durableSql(durable)).keepComing(Date.now())
  await clearBlobs(options.blobs, tenant, run)
  if (isIndexed(durable)) await options.search?.indexOf(tenant, run).remove()
  await options.catalog?.(tenant).remove(run)
  named.clearAllElse([
    ...(family?.hasRelatives() ? [familyTableName] : []),
    ...(coming === undefined ? [] : [largeBlobsTableName]),
  ])
  const names = [runName, streamsName, catalogName, searchName, historyName, lentName, blobsName, familyName]
  for (const own of names) await times.delete(own)
  return coming
}

/** The error for who asks for a run that was deleted. */
export function runDeleted(run: RunId): WaystoneError {
  return new WaystoneError(
    'run_deleted',
    `run ${run} was deleted at the edge: what is left of it is where it was copied to`,
    { run, actions: ['fork'] },
  )
}
