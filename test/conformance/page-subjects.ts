import { openIndexedDb, type BrowserStorage } from '@waystone/browser'
import type { CaseResult } from '@waystone/testing'
import { damageEntry } from './page-stored.ts'
import { runDurableCase, runPortCase, type PortName } from './ports.ts'

let databases = 0

/** Runs a case against IndexedDB, here: every subject is a database of its own, gone with the case. */
export async function runIndexedDbCase(port: PortName | 'durable', name: string): Promise<CaseResult> {
  const opened: { readonly name: string; readonly storage: BrowserStorage }[] = []
  const open = async (database = newDatabase()): Promise<BrowserStorage> => {
    const storage = await openIndexedDb(database)
    opened.push({ name: database, storage })
    return storage
  }
  try {
    if (port !== 'durable') return await runPortCase(() => open(), port, name)
    const database = newDatabase()
    const damage = damageEntry.bind(undefined, database)
    return await runDurableCase(async () => ({ open: () => open(database), damage }), name)
  } finally {
    for (const { storage } of opened) await storage.store.close()
    for (const { name: database } of opened) indexedDB.deleteDatabase(`waystone-${database}`)
  }
}

function newDatabase(): string {
  return `conformance-${crypto.randomUUID()}-${String(databases++)}`
}
