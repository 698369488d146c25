import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunStorage } from '@waystone/core'
import { sqliteStorage } from '@waystone/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { portCases, runPortCase } from './ports.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waystone-sqlite-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a SQLite file in Node', () => {
  let files = 0
  const opened: RunStorage[] = []
  afterAll(() => Promise.all(opened.map(({ store }) => store.close())))

  it.for(portCases)('%s: %s', async ([port, name]) => {
    const storage = async (): Promise<RunStorage> => {
      const made = sqliteStorage(join(folder, `${String(files++)}.db`))
      opened.push(made)
      return made
    }
    expect(await runPortCase(storage, port, name)).toEqual({ name, ok: true })
  })
})
