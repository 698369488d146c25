import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { RunStorage } from '@waystone/core'
import { sqliteStorage } from '@waystone/node'
import type { DurableSubject } from '@waystone/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { flipByte, placeOfLine } from './flip-byte.ts'
import { durableNames, runDurableCase } from './ports.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waystone-sqlite-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a SQLite file that several have open', () => {
  let files = 0
  const opened: RunStorage[] = []
  afterAll(() => Promise.all(opened.map(({ store }) => store.close())))

  it.for(durableNames)('%s', async (name) => {
    const path = join(folder, `${String(files++)}.db`)
    const subject: DurableSubject = {
      async open() {
        const storage = sqliteStorage(path)
        opened.push(storage)
        return storage
      },
      // Its runs are numbered: the one run of a case has all rows.
      damage: async (_, seq, where) => damage(path, seq, where),
    }
    expect(await runDurableCase(async () => subject, name)).toEqual({ name, ok: true })
  })
})

function damage(path: string, seq: number, where: 'first' | 'middle'): void {
  const db = new DatabaseSync(path)
  let first = 0
  for (const row of db.prepare('SELECT seq, entries, lines FROM waystone_log ORDER BY seq').all()) {
    const { seq: key, entries, lines } = row as { seq: number; entries: number; lines: Uint8Array }
    if (seq < first + entries) {
      const flipped = flipByte(lines, placeOfLine(lines, seq - first), where)
      db.prepare('UPDATE waystone_log SET lines = ? WHERE seq = ?').run(flipped, key)
      break
    }
    first += entries
  }
  db.close()
}
