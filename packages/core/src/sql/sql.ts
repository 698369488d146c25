import { WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'

/** What is stored in a column. Bytes come back as one of the two. */
export type SqlValue = string | number | null | Uint8Array | ArrayBuffer

/** What the stores need of a SQLite database. All but `task` is done when the call returns. */
export interface Sql {
  /** Carries out one statement. */
  run(query: string, ...values: readonly SqlValue[]): void
  /** The rows of a query as they are at one moment, read as they are asked for. */
  rows<Row>(query: string, ...values: readonly SqlValue[]): Iterable<Row>
  /**
   * All or nothing: commits when `work` returns, takes everything back when it throws. Nobody else writes meanwhile.
   * `strict` survives a power loss where the platform offers it; `relaxed` survives a killed process.
   */
  transaction<T>(durability: 'relaxed' | 'strict', work: () => T): T
  /** Resolves in a later task, so that others have their turn. */
  task(): Promise<void>
}

/**
 * Runs by numbers from 1 on. Each has its own range of integer keys in the tables that are keyed by one, since a row
 * with such a key is the cheapest there is: one B-tree, no index.
 */
export interface RunNumbers {
  /** The number of a run; undefined for one that has none yet. */
  find(run: RunId): number | undefined
  /** Gives a run a number when it has none. Called inside of a transaction. */
  make(run: RunId): number
}

/** How many keys a run has: no log is longer than this. */
const runKeys = 2 ** 28

/** The keys of a run. */
export interface Keys {
  /** The number of the run. */
  readonly run: number
  /** The key of 0. */
  readonly first: number
  /** The key of the greatest number that has one. */
  readonly last: number
  /** The key of a number. Throws `limit_exceeded`. */
  of(number: number): number
}

/** The keys of the run with this number. */
export function keysOf(run: number): Keys {
  const first = (run - 1) * runKeys
  return {
    run,
    first,
    last: first + runKeys - 1,
    of(number) {
      if (number >= runKeys)
        throw new WaystoneError(
          'limit_exceeded',
          `a run has at most ${String(runKeys)} entries, found number ${String(number)}`,
        )
      return first + number
    },
  }
}

/** The first row of a query. */
export function firstOf<Row>(rows: Iterable<Row>): Row | undefined {
  for (const row of rows) return row
  return undefined
}

/** A value that was stored as bytes. */
export function bytesOf(value: Uint8Array | ArrayBuffer): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(value)
}
