import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunStorage } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { sqliteStorage } from '@waystone/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FaultSide, Stores } from './fault-world.ts'
import type { FaultKind } from './fault.ts'
import {
  backScenario,
  errandScenario,
  moveScenario,
  retentionScenario,
  syncedScenario,
} from './run-scenarios.ts'
import { playWithFault, type Scenario } from './scenario.ts'
import { sessionScenario, syncedSessionScenario } from './session-scenario.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'waystone-faults-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const inMemory = (): Stores => {
  const sides: Record<FaultSide, RunStorage> = { device: memoryStorage(), edge: memoryStorage() }
  return { open: (side) => sides[side], close: () => Promise.resolve() }
}
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

const kinds: readonly FaultKind[] = ['fail', 'kill before', 'kill after']
const scenarios: readonly (readonly [Scenario, FaultSide, readonly FaultKind[]])[] = [
  [errandScenario, 'device', kinds],
  [syncedScenario, 'device', [...kinds, 'lose answer']],
  [syncedScenario, 'edge', kinds],
  [moveScenario, 'device', [...kinds, 'lose answer']],
  [moveScenario, 'edge', kinds],
  [retentionScenario, 'device', kinds],
  [backScenario, 'device', kinds],
  [sessionScenario, 'device', kinds],
  [syncedSessionScenario, 'device', [...kinds, 'lose answer']],
  [syncedSessionScenario, 'edge', kinds],
]
const cases = scenarios.flatMap(([scenario, side, some]) =>
  some.map((kind) => ({ name: scenario.name, scenario, side, kind })),
)

describe.each([
  ['memory', inMemory, cases],
  // What the edge keeps in SQLite is tested in its own runtime.
  ['a SQLite file', inSqlite, cases.filter(({ scenario }) => !scenario.edge)],
] as const)('in %s, one call after the other goes wrong', (_, stores, some) => {
  it.for(some)(
    '$name: $kind at every call of the $side, and all comes right',
    async ({ scenario, side, kind }) => {
      let at = 1
      while ((await playWithFault(scenario, stores(), { side, kind, at })) !== undefined) at += 1
      // The scenario has gone through untouched: every call before was the one that went wrong.
      expect(at).toBeGreaterThan(5)
    },
  )
})
