import type { HistoryObjects, RunId } from '@waystone/core'
import { firstOf, historyMover, historyTable, lazyTable, type RunNumbers, type Sql } from '@waystone/core/sql'

/** When the history of a run moves from the database of its object into the bucket. What is read stays the same. */
export interface HistoryOptions {
  /** The newest entries stay, so many of them: default 1,000, */
  readonly entries?: number
  /** and so many bytes of them: default 4 MiB. */
  readonly bytes?: number
  /** What moves at a time has at least so many bytes: default 1 MiB, for which R2 asks as much as for one request. */
  readonly objectBytes?: number
  /** So many bytes of it are read at once: default 128 KiB. */
  readonly rangeBytes?: number
}

/** The history of the run of an object on its way out of the database. */
export interface RunHistory {
  /** True when it is worth looking, after so many entries were added that the log now has so many and its object so many bytes. */
  isDue(added: number, entries: number, bytes: number): boolean
  /** True when there is something in the bucket. */
  hasObjects(): boolean
  /** What it has in the bucket, in bytes. */
  bytes(): number
  /** Moves what is due and removes what nothing needs any more; true when it is to be called again. */
  move(): Promise<boolean>
  /** Moves nothing from now on; resolves when nothing is on its way. */
  close(): Promise<void>
}

/** Moves at most so many objects in one go, so that others have their turn. */
const movesMax = 8

/** See `RunHistory`. */
export function runHistory(
  run: RunId,
  parts: { readonly sql: Sql; readonly runs: RunNumbers; readonly objects: HistoryObjects },
  options: HistoryOptions = {},
): RunHistory {
  const { entries = 1_000, bytes = 4 * 1024 ** 2, objectBytes = 1024 ** 2, rangeBytes = 128 * 1024 } = options
  const mover = historyMover(parts.sql, parts.runs, parts.objects, {
    entries,
    bytes,
    objectBytes,
    rangeBytes,
  })
  const notes = lazyTable(parts.sql, historyTable)
  let closed = false
  let underWay: Promise<boolean> | undefined

  const work = async (): Promise<boolean> => {
    let isMore = true
    for (let moves = 0; isMore && moves < movesMax && !closed; moves += 1) isMore = await mover.move(run)
    if (!closed) await mover.sweep(run)
    return isMore && !closed
  }
  return {
    isDue(added, now, size) {
      const every = Math.max(1, Math.ceil(entries / 4))
      return (now > entries || size > bytes) && Math.floor(now / every) > Math.floor((now - added) / every)
    },
    hasObjects: () =>
      notes.isThere() && firstOf(parts.sql.rows('SELECT 1 FROM waystone_history LIMIT 1')) !== undefined,
    bytes: () => mover.bytes(),
    move: () => (underWay ??= work().finally(() => (underWay = undefined))),
    async close() {
      closed = true
      await underWay?.catch(() => undefined)
    },
  }
}
