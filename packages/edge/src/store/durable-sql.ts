import {
  lazyTable,
  type LazyTable,
  type RunNumbers,
  type Sql,
  type SqlValue,
  type Table,
} from '@waystone/core/sql'

/**
 * The SQLite of an object. Writes are durable before any answer leaves the object, so that `strict` and `relaxed` are the
 * same; only `transactionSync` takes back what was written when something throws (workerd, 2026-11).
 */
export function durableSql(storage: Pick<DurableObjectStorage, 'sql' | 'transactionSync'>): Sql {
  const { sql } = storage
  return {
    run(query, ...values) {
      sql.exec(query, ...values)
    },
    rows<Row>(query: string, ...values: readonly SqlValue[]) {
      return sql.exec(query, ...values) as Iterable<unknown> as Iterable<Row>
    },
    transaction: (_, work) => storage.transactionSync(work),
    task: () => scheduler.wait(0),
  }
}

/** A table of an object, made when a row is first written to it. */
export function durableTable(
  storage: Pick<DurableObjectStorage, 'sql' | 'transactionSync'>,
  table: Table,
): LazyTable {
  return lazyTable(durableSql(storage), table)
}

/** An object has one run. */
export const oneRun: RunNumbers = { find: () => 1, make: () => 1 }
