import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** An edge that closes a database, or one that has just been killed, has it locked for a moment. */
const timeout = 10_000

/** The databases of a kind of objects of an edge, `do/waystone-security-RunObject`, while no edge has them open. */
export async function objectDatabases(
  persistTo: string,
  kind: string,
  work: (database: DatabaseSync) => void,
): Promise<void> {
  const folder = join(persistTo, 'v3', kind)
  for (const file of (await readdir(folder)).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name)))
    changeDatabase(join(folder, file), work)
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

/** Changes one database of an edge while no edge has it open. */
export function changeDatabase(file: string, work: (database: DatabaseSync) => void): void {
  withDatabase(new DatabaseSync(file, { timeout }), work)
}

/** What is read from each database of an edge, whether or not the edge has it open. */
export async function readDatabases<T>(
  persistTo: string,
  read: (database: DatabaseSync) => T,
): Promise<readonly T[]> {
  const names = await readdir(persistTo, { recursive: true })
  return names
    .filter((name) => name.endsWith('.sqlite'))
    .map((name) => withDatabase(new DatabaseSync(join(persistTo, name), { readOnly: true, timeout }), read))
}

/** True for a database that has a table. */
export function hasTable(database: DatabaseSync, table: string): boolean {
  return (
    database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) !== undefined
  )
}

function withDatabase<T>(database: DatabaseSync, work: (database: DatabaseSync) => T): T {
  try {
    return work(database)
  } finally {
    database.close()
  }
}
