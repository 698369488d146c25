import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStorage } from '@waystone/core/memory'
import { sqliteStorage } from '@waystone/node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defineSaverSuite, type SuiteStorage } from './saver-suite.ts'

// The suite of LangGraph takes these from Vitest's globals.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it })

describe('over memory, in Node', () => {
  defineSaverSuite(async () => ({ storage: memoryStorage(), close: () => Promise.resolve() }))
})

describe('over a SQLite file, in Node', () => {
  defineSaverSuite(async (): Promise<SuiteStorage> => {
    const folder = await mkdtemp(join(tmpdir(), 'waystone-saver-'))
    const storage = sqliteStorage(join(folder, 'threads.db'))
    return {
      storage,
      close: async () => {
        await storage.store.close()
        await rm(folder, { recursive: true })
      },
    }
  })
})
