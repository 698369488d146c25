import { diff, type RunLog, type Value } from '@waystone/core'
import { openDB, type IDBPDatabase } from 'idb'
import { openIndexedDb } from '../../../packages/browser/src/store/open-indexed-db.ts'
import { beginLog, commitDelta, commitDraft } from '../_chat-log.ts'
import { answerWith } from './ask-worker.ts'
import type { Saved, ToWorker, Way } from './save-messages.ts'

interface Chat {
  messages: { role: string; text: string }[]
}

/** One way to save. */
interface Saving {
  /** Saves once. The time is taken around the part that such an application would have to do. */
  save(round: number, line: Uint8Array<ArrayBuffer> | undefined): Promise<Saved>
  close(): Promise<void>
}

const messageBytes = 1_000
/** What the conversation begins with is said in commits of so many messages: what one commit says has a limit. */
const messagesAtOnce = 8_000

/** The messages of a conversation of about so many bytes, in pieces. */
function* messagesOf(bytes: number): Generator<Chat['messages']> {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(30).slice(0, messageBytes - 40)
  const count = Math.max(2, Math.round(bytes / messageBytes))
  for (let from = 0; from < count; from += messagesAtOnce)
    yield Array.from({ length: Math.min(messagesAtOnce, count - from) }, (_, index) => ({
      role: index % 2 ? 'assistant' : 'user',
      text: `${String(from + index)} ${text}`,
    }))
}

function newMessages(round: number): Chat['messages'] {
  const text = `A new message in round ${String(round)}. `.repeat(20)
  return [
    { role: 'user', text },
    { role: 'assistant', text },
  ]
}

function bytesOf(messages: Chat['messages']): number {
  return new TextEncoder().encode(JSON.stringify(messages)).byteLength
}

/** How messages come into a log. */
type Commit = (log: RunLog, messages: Chat['messages']) => Promise<void>

const byDraft: Commit = (log, messages) =>
  commitDraft<Chat>(log, (draft) => void draft.messages.push(...messages))

/** A state of the application's own, changed in place: all of it is compared. */
function byComparing(): Commit {
  const chat: Chat = { messages: [] }
  return (log, messages) => {
    chat.messages.push(...messages)
    return commitDelta(log, diff(log.mustFold().state, chat as unknown as Value))
  }
}

/** The log of Waystone: what changed, as one durable entry. */
async function openLog(bytes: number, commit: Commit): Promise<Saving> {
  const name = `bench-${crypto.randomUUID()}`
  const storage = await openIndexedDb(name)
  const log = await beginLog('bench', storage, { messages: [] })
  for (const messages of messagesOf(bytes)) await commit(log, messages)
  return {
    async save(round) {
      const messages = newMessages(round)
      const ms = await timed(() => commit(log, messages))
      const [stored] = await log.lines(log.mustFold().head.seq)
      const line = Uint8Array.from(stored ?? [])
      return { ms, stored: line.byteLength, changed: bytesOf(messages), line }
    },
    async close() {
      await storage.store.close()
      indexedDB.deleteDatabase(name)
    },
  }
}

/** One put of bytes that are at hand. */
async function openRaw(): Promise<Saving> {
  const db = await openRecords()
  return {
    async save(round, line) {
      if (line === undefined) throw new Error('a raw put without bytes')
      const ms = await timed(() => put(db, round, line.buffer))
      return { ms, stored: line.byteLength, changed: 0 }
    },
    close: () => closeRecords(db),
  }
}

/** What many agents do: the whole state, written anew at every save. */
async function openWhole(bytes: number): Promise<Saving> {
  const db = await openRecords()
  const chat: Chat = { messages: [...messagesOf(bytes)].flat() }
  return {
    async save(round) {
      chat.messages.push(...newMessages(round))
      let stored = 0
      const ms = await timed(async () => {
        const line = new TextEncoder().encode(JSON.stringify(chat))
        stored = line.byteLength
        await put(db, 'whole', line.buffer)
      })
      return { ms, stored, changed: 0 }
    },
    close: () => closeRecords(db),
  }
}

function openRecords(): Promise<IDBPDatabase> {
  return openDB(`bench-${crypto.randomUUID()}`, 1, { upgrade: (db) => void db.createObjectStore('records') })
}

async function closeRecords(db: IDBPDatabase): Promise<void> {
  db.close()
  indexedDB.deleteDatabase(db.name)
}

async function put(db: IDBPDatabase, key: IDBValidKey, bytes: ArrayBuffer): Promise<void> {
  const tx = db.transaction('records', 'readwrite', { durability: 'relaxed' })
  void tx.store.put(bytes, key)
  await tx.done
}

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}

const openers: Record<Way, (bytes: number) => Promise<Saving>> = {
  commit: (bytes) => openLog(bytes, byDraft),
  plain: (bytes) => openLog(bytes, byComparing()),
  raw: openRaw,
  whole: openWhole,
}
let saving: Saving | undefined

answerWith<ToWorker>(async (message): Promise<Saved> => {
  if (message.type === 'open') saving = await openers[message.way](message.bytes)
  if (message.type === 'close') await saving?.close()
  if (message.type !== 'save' || saving === undefined) return { ms: 0, stored: 0, changed: 0 }
  return saving.save(message.round, message.line)
})
