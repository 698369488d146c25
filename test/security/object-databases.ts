import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** The databases of a kind of objects of an edge, `do/waystone-security-RunObject`, while no edge has them open. */
export async function objectDatabases(
  persistTo: string,
  kind: string,
  work: (database: DatabaseSync) => void,
): Promise<void> {
  const folder = join(persistTo, 'v3', kind)
  for (const file of (await readdir(folder)).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name))) {
    const database = new DatabaseSync(join(folder, file))
    work(database)
    database.close()
  }
}

/** The database of a run's object, of these objects, while no edge has it open. */
export function runDatabase(
  persistTo: string,
  kind: string,
  run: string,
  work: (database: DatabaseSync) => void,
): Promise<void> {
  return objectDatabases(persistTo, kind, (database) => {
    const isThere = hasTable(database, 'waystone_run')
    if (isThere && database.prepare('SELECT 1 FROM waystone_run WHERE id = ?').get(run)) work(database)
  })
}

/** True for a database that has a table. */
export function hasTable(database: DatabaseSync, table: string): boolean {
  return database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) !== undefined
}
