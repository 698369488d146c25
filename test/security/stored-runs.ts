import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { hasTable } from './object-databases.ts'

/** Tables in which an object says which run it has, or a catalog which runs there are. */
const columns = { waystone_run: 'id', waystone_catalog: 'run', waystone_catalog_begun: 'run' }

/** The ids of all runs of which an edge has any row, read from its files beside it. */
export async function storedRuns(persistTo: string): Promise<readonly string[]> {
  const runs = new Set<string>()
  for (const name of await readdir(persistTo, { recursive: true })) {
    if (!name.endsWith('.sqlite')) continue
    const database = new DatabaseSync(join(persistTo, name), { readOnly: true })
    for (const [table, column] of Object.entries(columns)) {
      if (!hasTable(database, table)) continue
      for (const row of database.prepare(`SELECT ${column} AS run FROM ${table}`).all())
        runs.add(String(row['run']))
    }
    database.close()
  }
  return [...runs].sort()
}
