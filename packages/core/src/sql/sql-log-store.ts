import { assert, WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Append, Appended, LogStore } from '../ports/log-store.ts'
import type { HistoryObjects } from '../ports/history.ts'
import { lineReader, type LineReader } from './away-rows.ts'
import { appendRows, inflateFor } from './sql-append.ts'
import { compactRows, type Packing } from './sql-compact.ts'
import {
  headAt,
  isPacked,
  lineBytes,
  logTable,
  plainLines,
  rowAt,
  rowsFrom,
  type LogRow,
} from './log-rows.ts'
import { lazyTable, runsIn } from './lazy-table.ts'
import { keysOf, type RunNumbers, type Sql } from './sql.ts'
import { summariesIn, summaryTable } from './sql-summaries.ts'

/** A log store that also says when a run last took an append, by the clock of its host. */
export type SqlLogStore = LogStore & { lastAppend(run: RunId): number | undefined }

/** What a log store in SQLite is made of. */
export interface SqlLogOptions {
  readonly packing: Packing
  /** Where lines are that a `historyMover` has taken out of the database. */
  readonly history?: HistoryObjects
  /** Lets go of the database, once nothing is under way. */
  readonly close?: () => void
}

/** How often an append or a read is tried whose packed rows change between inflating and storing. */
const triesMax = 10

/**
 * Logs in SQLite. Statements are synchronous, so an append needs no lock beyond its transaction; one over packed rows,
 * which are inflated first, holds up those after it.
 */
export function sqlLogStore(sql: Sql, numbers: RunNumbers, options: SqlLogOptions): SqlLogStore {
  const runs = runsIn(lazyTable(sql, logTable), numbers)
  const summaries = lazyTable(sql, summaryTable)
  const reader = lineReader(sql, options.history)
  const underWay = new Map<RunId, Promise<unknown>>()
  let closed = false
  const mustBeOpen = (): void => {
    if (closed) throw new WaystoneError('closed', 'this store was closed: open it again')
  }

  const appendOverPacked = async (run: RunId, append: Append): Promise<Appended> => {
    for (let tries = 1; ; tries += 1) {
      const number = runs.find(run)
      const inflated =
        number === undefined
          ? new Map<never, never>()
          : await inflateFor(sql, reader, run, keysOf(number), append)
      const appended = appendRows(sql, runs, run, append, inflated)
      if (appended) return appended
      assert(tries < triesMax, `the packed rows of run ${run} do not come to rest`)
    }
  }
  const inTurn = async (run: RunId, append: Append): Promise<Appended> => {
    const own = { ...append, lines: append.lines.map((line) => line.slice()) }
    const before = underWay.get(run)
    const appending = (before ?? Promise.resolve()).then(() => appendOverPacked(run, own))
    const settled = appending.catch(() => undefined)
    underWay.set(run, settled)
    try {
      return await appending
    } finally {
      if (underWay.get(run) === settled) underWay.delete(run)
    }
  }

  return {
    async append(run, append) {
      mustBeOpen()
      if (underWay.has(run)) return inTurn(run, append)
      return appendRows(sql, runs, run, append, new Map()) ?? inTurn(run, append)
    },
    async read(run, from, count = Infinity) {
      mustBeOpen()
      const number = runs.find(run)
      if (number === undefined) return []
      const keys = keysOf(number)
      for (let tries = 1; ; tries += 1) {
        const rows = pageRows(rowsFrom(sql, keys, keys.of(from)), count)
        const page = await pageOf(rows, keys.of(from), (row) => reader.lines(run, keys, row))
        if (page) return page.slice(0, count)
        assert(tries < triesMax, `the history of run ${run} does not come to rest`)
      }
    },
    async head(run) {
      mustBeOpen()
      const number = runs.find(run)
      if (number === undefined) return undefined
      const keys = keysOf(number)
      for (let tries = 1; ; tries += 1) {
        const row = rowAt(sql, keys)
        if (row === undefined) return undefined
        const lines = isPacked(row) ? await reader.lines(run, keys, row) : plainLines(row)
        if (lines) return headAt(keys, row, lines)
        assert(tries < triesMax, `the head of run ${run} does not come to rest`)
      }
    },
    // An object has one run; a store of many lists them by their ids.
    async list() {
      mustBeOpen()
      return summaries.isThere() ? summariesIn(sql.rows('SELECT json FROM waystone_summary')) : []
    },
    async compact(run, compaction) {
      mustBeOpen()
      const number = runs.find(run)
      if (number === undefined) return compaction.head === undefined
      return compactRows(sql, keysOf(number), compaction, options.packing)
    },
    async close() {
      if (closed) return
      closed = true
      await Promise.all(underWay.values())
      options.close?.()
    },
    lastAppend(run) {
      const number = runs.find(run)
      return number === undefined ? undefined : rowAt(sql, keysOf(number))?.time
    },
  }
}

/** The rows of one page, all of one moment. */
function pageRows(rows: Iterable<LogRow>, count: number): readonly LogRow[] {
  const page: LogRow[] = []
  let bytes = 0
  for (const row of rows) {
    page.push(row)
    // The first may hold lines of before the page.
    if (page.length > 1) bytes += lineBytes(row)
    // Each has at least one of the lines that are asked for.
    if (bytes > limits.pageBytesMax || page.length >= count) break
  }
  return page
}

/** Undefined when a row has changed since it was read, so that its lines are not to be had. */
async function pageOf(
  rows: readonly LogRow[],
  from: number,
  linesOf: (row: LogRow) => ReturnType<LineReader['lines']>,
): Promise<readonly Uint8Array[] | undefined> {
  const page: Uint8Array[] = []
  let bytes = 0
  for (const row of rows) {
    const lines = isPacked(row) ? await linesOf(row) : plainLines(row)
    if (lines === undefined) return undefined
    for (const line of lines.slice(Math.max(0, from - row.seq))) {
      if (bytes > 0 && bytes + line.byteLength > limits.pageBytesMax) return page
      page.push(line)
      bytes += line.byteLength
    }
  }
  return page
}
