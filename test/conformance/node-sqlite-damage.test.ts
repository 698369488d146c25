import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { RunLog } from '@waystone/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sqliteStorage } from '@waystone/node'
import { commitListed, me, run, start } from '../../packages/core/src/log/log.test-support.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waystone-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Four turns one by one, then three in one row. */
async function written(path: string): Promise<void> {
  const storage = sqliteStorage(path)
  const log = await RunLog.open(run, { ...storage, now: () => 1 })
  await log.append(me, () => [start({ list: [] })])
  for (const turn of [0, 1, 2, 3]) await log.append(me, () => [commitListed(turn)])
  await log.append(me, () => [4, 5, 6].map(commitListed))
  await storage.store.close()
}

function change(path: string, row: number, at: (bytes: Uint8Array) => number, bit = 4): void {
  const db = new DatabaseSync(path)
  const found = db.prepare('SELECT seq, lines FROM waystone_log ORDER BY seq').all()[row] as {
    seq: number
    lines: Uint8Array
  }
  const index = at(found.lines)
  const lines = found.lines.with(index, (found.lines[index] as number) ^ bit)
  db.prepare('UPDATE waystone_log SET lines = ? WHERE seq = ?').run(lines, found.seq)
  db.close()
}

const nth =
  (count: number) =>
  (bytes: Uint8Array): number => {
    let at = -1
    for (let i = 0; i < count; i += 1) at = bytes.indexOf(10, at + 1)
    return at
  }

describe('a damaged row of a SQLite file', () => {
  it.for([
    ['the last line is no JSON', 5, (bytes: Uint8Array) => bytes.byteLength - 3, 7],
    ['the line before the last is no JSON', 5, (bytes: Uint8Array) => nth(2)(bytes) - 1, 6],
    ['a row before is no JSON', 3, (bytes: Uint8Array) => bytes.byteLength - 2, 3],
    ['a line end in the last row is another byte', 5, nth(1), 5],
    ['the last line end is another byte', 5, nth(3), 7],
    ['a line end in a row before is another byte', 3, nth(1), 3],
  ] as const)('is set aside with what came after it when %s', async ([, row, at, seq]) => {
    const path = join(folder, 'a.db')
    await written(path)
    change(path, row, at)
    const storage = sqliteStorage(path)
    const log = await RunLog.open(run, { ...storage, now: () => 2 })
    expect(log.damage?.seq).toBe(seq)
    expect(log.mustFold().head.seq).toBe(seq - 1)
    const tails = await storage.tails.list(run)
    expect(tails).toHaveLength(1)
    await log.append(me, () => [commitListed(log.mustFold().turn)])
    const again = await RunLog.open(run, { ...storage, now: () => 3 })
    expect(again.damage).toBeUndefined()
    expect(again.mustFold().head).toEqual(log.mustFold().head)
    await storage.store.close()
  })

  it('that is packed is set aside, too', async () => {
    const path = join(folder, 'a.db')
    await written(path)
    const storage = sqliteStorage(path)
    await storage.store.compact(run, { forget: 0, cold: 4 })
    // The kind of its first block.
    change(path, 0, () => 5, 2)
    const log = await RunLog.open(run, { ...storage, now: () => 2 })
    expect(log.fold).toBeUndefined()
    expect(log.damage?.seq).toBe(0)
    await storage.store.close()
  })
})
