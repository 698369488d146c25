import { openIndexedDb } from '@waystone/browser'
import { collectSaverSuite } from './saver-suite.ts'

const suite = collectSaverSuite(async () => {
  const name = `langgraph-${crypto.randomUUID()}`
  const storage = await openIndexedDb(name)
  return {
    storage,
    close: async () => {
      await storage.store.close()
      indexedDB.deleteDatabase(`waystone-${name}`)
    },
  }
})

/** What the test asks of the page. */
Object.assign(globalThis, { runSuite: () => suite.run() })
