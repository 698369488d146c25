import { RunLog, type RunId } from '@waystone/core'
import { openDB } from 'idb'
import { openIndexedDb, type BrowserStorage } from '../../../packages/browser/src/store/open-indexed-db.ts'
import { beginLog, commitDraft, snapshotterOf } from '../_chat-log.ts'

/** What opening one run took, beside reading as many bytes. */
export interface ResumeTimes {
  /** Opening the database and the log, verified and folded, in ms. */
  readonly open: readonly number[]
  /** Opening a database and reading the same bytes from as many records. */
  readonly raw: readonly number[]
  readonly bytes: number
  readonly records: number
}

interface Chat {
  messages: { role: string; text: string }[]
}

const run = 'resume' as RunId

function text(number: number, chars: number): string {
  return `${String(number)} The quick brown fox jumps over the lazy dog. `.repeat(40).slice(0, chars)
}

async function build(
  storage: BrowserStorage,
  start: Chat,
  turns: number,
  kept: number,
  tidy: boolean,
): Promise<void> {
  const log = await beginLog(run, storage, start)
  const snapshotter = snapshotterOf(log, storage, {
    clock: { task: () => Promise.resolve(), now: () => Date.now() },
    mayAppend: () => tidy,
    retention: () => ({ turns: 100, ms: 0, labels: true }),
  })
  for (let turn = 0; turn < turns; turn += 1) {
    await commitDraft<Chat>(log, ({ messages }) => {
      messages.push({ role: 'user', text: text(turn, 500) })
      if (messages.length > kept) messages.shift()
    })
    if (tidy) await snapshotter.settle()
  }
  snapshotter.close()
}

/** Every byte that opening reads, in the records in which it is stored: the tail of the log, the snapshot, its chunks. */
async function bytesRead(storage: BrowserStorage): Promise<readonly Uint8Array[]> {
  const seen: Uint8Array[] = []
  const watched = {
    ...storage,
    store: {
      ...storage.store,
      read: async (...args: Parameters<typeof storage.store.read>) => {
        const page = await storage.store.read(...args)
        seen.push(...page)
        return page
      },
    },
    blobs: {
      ...storage.blobs,
      get: async (...args: Parameters<typeof storage.blobs.get>) => {
        const bytes = await storage.blobs.get(...args)
        if (bytes) seen.push(bytes)
        return bytes
      },
    },
  }
  await RunLog.open(run, { ...watched, now: () => Date.now() })
  return seen
}

async function measure(
  rounds: number,
  start: Chat,
  turns: number,
  kept: number,
  tidy: boolean,
): Promise<ResumeTimes> {
  const name = `bench-${crypto.randomUUID()}`
  const storage = await openIndexedDb(name)
  await build(storage, start, turns, kept, tidy)
  const records = await bytesRead(storage)
  await storage.store.close()
  const rawName = `bench-${crypto.randomUUID()}`
  const upgrade = {
    upgrade: (db: { createObjectStore(name: string): unknown }) => void db.createObjectStore('records'),
  }
  const raw = await openDB(rawName, 1, upgrade)
  const tx = raw.transaction('records', 'readwrite')
  for (const [index, bytes] of records.entries()) void tx.store.put(Uint8Array.from(bytes).buffer, index)
  await tx.done
  raw.close()
  const times: { open: number[]; raw: number[] } = { open: [], raw: [] }
  for (let round = 0; round < rounds; round += 1) {
    const from = performance.now()
    const again = await openIndexedDb(name)
    const log = await RunLog.open(run, { ...again, now: () => Date.now() })
    times.open.push(performance.now() - from)
    if (log.mustFold().turn !== turns) throw new Error('it was not read whole')
    await again.store.close()
    const begun = performance.now()
    const db = await openDB(rawName, 1)
    await db.getAll('records')
    times.raw.push(performance.now() - begun)
    db.close()
  }
  indexedDB.deleteDatabase(name)
  indexedDB.deleteDatabase(rawName)
  return {
    ...times,
    bytes: records.reduce((sum, { byteLength }) => sum + byteLength, 0),
    records: records.length,
  }
}

const resume = {
  /** A state of 1 MB and 600 turns after it, none of them in a snapshot. */
  deltas: (rounds: number) => {
    const messages = Array.from({ length: 1_000 }, (_, index) => ({ role: 'user', text: text(index, 1_000) }))
    return measure(rounds, { messages }, 600, Infinity, false)
  },
  /** 10,000 turns, of which the last ones are kept. */
  compacted: (rounds: number) => measure(rounds, { messages: [] }, 10_000, 1_000, true),
}
Object.assign(globalThis, { resume })
