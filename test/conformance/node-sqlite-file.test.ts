import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Head, RunStorage } from '@waystone/core'
import { sqliteStorage } from '@waystone/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entryAfter, headAfter, run } from './entries.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waystone-sqlite-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Appends so many entries one by one. */
async function append({ store }: RunStorage, count: number, text: string): Promise<readonly Uint8Array[]> {
  const lines: Uint8Array[] = []
  let head: Head | undefined = await store.head(run)
  for (let index = 0; index < count; index += 1) {
    const line = entryAfter(head, text)
    await store.append(run, { base: head, lines: [line], durability: 'relaxed' })
    head = headAfter(line)
    lines.push(line)
  }
  return lines
}

/** Looks into a file, or changes it, as no storage does. */
function withDatabase<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path)
  try {
    return work(db)
  } finally {
    db.close()
  }
}

describe('a SQLite file in Node', () => {
  it('keeps everything for the next process that opens it', async () => {
    const path = join(folder, 'again.db')
    const first = sqliteStorage(path)
    const lines = await append(first, 3, 'kept')
    await first.snapshots.put(run, 1, lines[1] as Uint8Array)
    await first.streams.append(run, '1/a', { at: 0, text: 'half' })
    await first.store.close()
    const again = sqliteStorage(path)
    expect(await again.store.read(run, 0)).toEqual(lines)
    expect(await again.snapshots.get(run, 1)).toEqual(lines[1])
    expect(await again.streams.read(run, '1/a', 0)).toEqual({ at: 0, text: 'half' })
    await again.store.close()
  })

  it('gives back to the file system what compaction has freed', async () => {
    const path = join(folder, 'shrunk.db')
    const storage = sqliteStorage(path)
    await append(storage, 1_000, 'The quick brown fox jumps over the lazy dog. '.repeat(40))
    const pages = (): { count: number; free: number } =>
      withDatabase(path, (db) => ({
        count: db.prepare('PRAGMA page_count').get()?.['page_count'] as number,
        free: db.prepare('PRAGMA freelist_count').get()?.['freelist_count'] as number,
      }))
    const before = pages()
    await storage.store.compact(run, { forget: 990, cold: 0 })
    const after = pages()
    expect(after.free).toBe(0)
    expect(after.count).toBeLessThan(before.count / 20)
    await storage.store.close()
  })

  it('keeps a row an append, and packs cold ones into few small rows', async () => {
    const path = join(folder, 'packed.db')
    const storage = sqliteStorage(path)
    await append(storage, 600, 'The quick brown fox jumps over the lazy dog. '.repeat(20))
    const rows = (): { count: number; bytes: number } =>
      withDatabase(path, (db) => ({
        ...(db.prepare('SELECT count(*) AS count, sum(length(lines)) AS bytes FROM waystone_log').get() as {
          count: number
          bytes: number
        }),
      }))
    const before = rows()
    expect(before.count).toBe(600)
    await storage.store.compact(run, { forget: 0, cold: 590 })
    const after = rows()
    expect(after.count).toBeLessThan(15)
    expect(after.bytes).toBeLessThan(before.bytes / 5)
    await storage.store.compact(run, { forget: 0, cold: 590 })
    expect(rows()).toEqual(after)
    await storage.store.compact(run, { forget: 590, cold: 590 })
    expect(rows().count).toBeLessThanOrEqual(11)
    await storage.store.close()
  })

  it('keeps equal bytes of two runs once, and none of them when both have removed them', async () => {
    const path = join(folder, 'blobs.db')
    const { blobs, store } = sqliteStorage(path)
    const bytes = new Uint8Array(10_000).fill(7)
    const hash = '5'.repeat(64) as Parameters<typeof blobs.put>[1]
    const other = 'run-2' as typeof run
    const count = (): unknown =>
      withDatabase(path, (db) => db.prepare('SELECT count(*) AS count FROM waystone_blobs').get()?.['count'])
    await blobs.put(run, hash, bytes, { cold: true })
    await blobs.put(other, hash, bytes)
    expect(count()).toBe(1)
    await blobs.remove(run, [hash])
    expect(count()).toBe(1)
    await blobs.remove(other, [hash])
    expect(count()).toBe(0)
    await store.close()
  })

  it('stands beside the tables of an application', async () => {
    const path = join(folder, 'shared.db')
    withDatabase(path, (db) => db.exec('CREATE TABLE log (text TEXT); INSERT INTO log VALUES (1)'))
    const storage = sqliteStorage(path)
    const lines = await append(storage, 1, 'beside')
    expect(await storage.store.read(run, 0)).toEqual(lines)
    await storage.store.close()
    expect(withDatabase(path, (db) => db.prepare('SELECT text FROM log').all())).toHaveLength(1)
  })

  it('refuses a file that is no database, and leaves it as it was', () => {
    const path = join(folder, 'letter.txt')
    const letter = 'Dear reader, this is no database. '.repeat(100)
    writeFileSync(path, letter)
    expect(() => sqliteStorage(path)).toThrow(expect.objectContaining({ code: 'storage_failed' }))
    expect(readFileSync(path, 'utf8')).toBe(letter)
  })

  it('refuses a file of a later Waystone, and a place where no file can be', async () => {
    const path = join(folder, 'later.db')
    await sqliteStorage(path).store.close()
    withDatabase(path, (db) => db.exec('UPDATE waystone_schema SET version = 1000'))
    expect(() => sqliteStorage(path)).toThrow(expect.objectContaining({ code: 'format_newer' }))
    expect(() => sqliteStorage(join(folder, 'nowhere', 'a.db'))).toThrow(
      expect.objectContaining({ code: 'storage_failed' }),
    )
  })

  it('says storage_failed for a file whose pages are damaged', async () => {
    const path = join(folder, 'torn.db')
    const storage = sqliteStorage(path)
    await append(storage, 200, 'x'.repeat(3_000))
    await storage.store.close()
    const bytes = readFileSync(path)
    for (let page = 1; page * 4096 < bytes.byteLength; page += 1)
      bytes.fill(0xa5, page * 4096, page * 4096 + 200)
    writeFileSync(path, bytes)
    const read = async (): Promise<unknown> => sqliteStorage(path).store.read(run, 0)
    await expect(read()).rejects.toMatchObject({ code: 'storage_failed' })
  })

  it('rejects with `closed` in all its parts once it was closed', async () => {
    const { store, tails, snapshots, blobs, inbox, streams } = sqliteStorage(join(folder, 'closed.db'))
    await store.close()
    const hash = '5'.repeat(64) as Parameters<typeof blobs.put>[1]
    const item = { id: 'a', type: 'retry', time: 1, by: 'me' } as const
    const calls: readonly (() => Promise<unknown>)[] = [
      () => store.head(run),
      () => tails.list(run),
      () => snapshots.put(run, 1, new Uint8Array(1)),
      () => blobs.put(run, hash, new Uint8Array(1)),
      () => blobs.get(run, hash),
      () => inbox.put(run, item),
      () => streams.append(run, '1/a', { at: 0, text: 'a' }),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'closed' })
  })
})
