import { openIndexedDb, type BrowserStorage } from '@waystone/browser'
import { runPortCase, type PortName } from './ports.ts'
import type { CaseResult } from '@waystone/testing'

let databases = 0

/** Runs a case against IndexedDB, here: every subject is a database of its own, gone with the case. */
export async function runIndexedDbCase(port: PortName, name: string): Promise<CaseResult> {
  const opened: { readonly name: string; readonly storage: BrowserStorage }[] = []
  const open = async (): Promise<BrowserStorage> => {
    const database = `conformance-${crypto.randomUUID()}-${String(databases++)}`
    const storage = await openIndexedDb(database)
    opened.push({ name: database, storage })
    return storage
  }
  try {
    return await runPortCase(open, port, name)
  } finally {
    for (const { name: database, storage } of opened) {
      await storage.store.close()
      indexedDB.deleteDatabase(`waystone-${database}`)
    }
  }
}
