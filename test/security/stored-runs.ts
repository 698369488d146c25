import { hasTable, readDatabases } from '../harness/edge-databases.ts'

/** Tables in which an object says which run it has, or a catalog which runs there are. */
const columns = { waystone_run: 'id', waystone_catalog: 'run', waystone_catalog_begun: 'run' }

/** The ids of all runs of which an edge has any row, read from its files beside it. */
export async function storedRuns(persistTo: string): Promise<readonly string[]> {
  const found = await readDatabases(persistTo, (database) =>
    Object.entries(columns)
      .filter(([table]) => hasTable(database, table))
      .flatMap(([table, column]) => database.prepare(`SELECT ${column} AS run FROM ${table}`).all())
      .map(({ run }) => String(run)),
  )
  return [...new Set(found.flat())].sort()
}
