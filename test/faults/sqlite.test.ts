import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunStorage } from '@waystone/core'
import { sqliteStorage } from '@waystone/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faultCases, playEveryFault } from './fault-cases.ts'
import type { Stores } from './fault-world.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'waystone-faults-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const inSqlite = (): Stores => {
  const number = String(files++)
  const opened: RunStorage[] = []
  return {
    open(side) {
      const storage = sqliteStorage(join(folder, `${number}-${side}.db`))
      opened.push(storage)
      return storage
    },
    async close() {
      for (const { store } of opened) await store.close()
      for (const side of ['device', 'edge'])
        for (const end of ['', '-wal', '-shm'])
          rmSync(join(folder, `${number}-${side}.db${end}`), { force: true })
    },
  }
}

// What the edge keeps in SQLite is tested in its own runtime.
const cases = faultCases.filter(({ scenario }) => !scenario.edge)

describe('in a SQLite file, one call after the other goes wrong', () => {
  it.for(cases)('$name: $kind at every call of the $side, and all comes right', async (one) => {
    expect(await playEveryFault(one, inSqlite)).toBeGreaterThan(5)
  })
})
