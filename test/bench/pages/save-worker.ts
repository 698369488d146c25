import { createDraft, diff, encodeValue, parseDigest, RunLog, type RunId, type Value } from '@waystone/core'
import { openDB, type IDBPDatabase } from 'idb'
import { openIndexedDb } from '../../../packages/browser/src/store/open-indexed-db.ts'
import type { FromWorker, ToWorker, Way } from './save-messages.ts'

interface Chat {
  messages: { role: string; text: string }[]
}

/** One way to save. */
interface Saving {
  /** Saves once. The time is taken around the part that such an application would have to do. */
  save(
    round: number,
    line: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<Exclude<FromWorker, { error: string }>>
  close(): Promise<void>
}

const messageBytes = 1_000
const owner = 'bench' as never

/** A conversation of about so many bytes. */
function chatOf(bytes: number): Chat {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(30).slice(0, messageBytes - 40)
  const count = Math.max(2, Math.round(bytes / messageBytes))
  return {
    messages: Array.from({ length: count }, (_, index) => ({
      role: index % 2 ? 'assistant' : 'user',
      text: `${String(index)} ${text}`,
    })),
  }
}

function newMessages(round: number): Chat['messages'] {
  const text = `A new message in round ${String(round)}. `.repeat(20)
  return [
    { role: 'user', text },
    { role: 'assistant', text },
  ]
}

/** The log of Waystone: a draft, its delta, one durable entry. */
async function openCommits(bytes: number): Promise<Saving> {
  const name = `bench-${crypto.randomUUID()}`
  const storage = await openIndexedDb(name)
  const log = await RunLog.open('bench' as RunId, {
    store: storage.store,
    snapshots: storage.snapshots,
    blobs: storage.blobs,
    now: () => Date.now(),
  })
  const identity = {
    agent: 'chat',
    version: 1,
    config: parseDigest('0'.repeat(64)),
    input: null,
    place: 'browser',
    whenGone: 'offer',
    leaseMs: 30_000,
    nonce: 'bench',
    sdk: '0',
  } as const
  await log.append(owner, () => [{ kind: 'start', body: { ...identity, state: encodeValue(chatOf(bytes)) } }])
  return {
    async save(round) {
      const messages = newMessages(round)
      const ms = await timed(async () => {
        const { state, turn } = log.mustFold()
        const { draft, finish } = createDraft(state as unknown as Chat)
        draft.messages.push(...messages)
        const next = finish() as unknown as Value
        const body = { turn, rules: 1, version: 1, delta: diff(state, next), next: { type: 'next' } } as const
        await log.append(owner, () => [{ kind: 'commit', body }], { state: next })
      })
      const [stored] = await log.lines(log.mustFold().head.seq)
      const line = Uint8Array.from(stored ?? [])
      return { ms, stored: line.byteLength, line }
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
      return { ms, stored: line.byteLength }
    },
    close: () => closeRecords(db),
  }
}

/** What many agents do: the whole state, written anew at every save. */
async function openWhole(bytes: number): Promise<Saving> {
  const db = await openRecords()
  const chat = chatOf(bytes)
  return {
    async save(round) {
      chat.messages.push(...newMessages(round))
      let stored = 0
      const ms = await timed(async () => {
        const line = new TextEncoder().encode(JSON.stringify(chat))
        stored = line.byteLength
        await put(db, 'whole', line.buffer)
      })
      return { ms, stored }
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
  commit: openCommits,
  raw: openRaw,
  whole: openWhole,
}
let saving: Saving | undefined

async function answer(message: ToWorker): Promise<FromWorker> {
  if (message.type === 'open') saving = await openers[message.way](message.bytes)
  if (message.type === 'close') await saving?.close()
  if (message.type !== 'save' || saving === undefined) return { ms: 0, stored: 0 }
  return saving.save(message.round, message.line)
}

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  answer(data).then(
    (answered) => postMessage(answered),
    (error: unknown) =>
      postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
