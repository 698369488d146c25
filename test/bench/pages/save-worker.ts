import {
  createDraft,
  diff,
  encodeValue,
  parseDigest,
  RunLog,
  type Delta,
  type RunId,
  type Value,
} from '@waystone/core'
import { openDB, type IDBPDatabase } from 'idb'
import { openIndexedDb } from '../../../packages/browser/src/store/open-indexed-db.ts'
import type { SaveRequest, SaveTimes } from './save-messages.ts'

interface Chat {
  messages: { role: string; text: string }[]
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

async function measure({ bytes, rounds, warmup }: SaveRequest): Promise<SaveTimes> {
  const name = `bench-${String(bytes)}-${crypto.randomUUID()}`
  const storage = await openIndexedDb(name)
  const raw = await openDB(`${name}-raw`, 1, { upgrade: (db) => void db.createObjectStore('records') })
  const log = await RunLog.open('bench' as RunId, {
    store: storage.log,
    blobs: storage.blobs,
    now: () => Date.now(),
  })
  let state = chatOf(bytes) as unknown as Value
  const identity = {
    agent: 'chat',
    version: 1,
    config: parseDigest('0'.repeat(64)),
    input: null,
    place: 'browser',
    whenGone: 'offer',
    leaseMs: 30_000,
    nonce: 'bench',
  } as const
  await log.append(owner, () => [{ kind: 'start', body: { ...identity, state: encodeValue(state) } }])

  let line = new ArrayBuffer(1_424)
  const times: SaveTimes = { commit: [], rawPut: [], wholePut: [], commitBytes: 0, wholeBytes: 0 }
  const commitRound = async (round: number): Promise<void> => {
    const text = `A new message in round ${String(round)}. `.repeat(20)
    const ms = await timed(async () => {
      const { draft, finish } = createDraft(state as unknown as Chat)
      draft.messages.push({ role: 'user', text }, { role: 'assistant', text })
      const delta: Delta = diff(state, finish() as unknown as Value)
      await log.append(owner, (fold) => [
        {
          kind: 'commit',
          body: { turn: fold?.turn ?? 0, rules: 1, version: 1, delta, next: { type: 'next' } },
        },
      ])
      state = log.mustFold().state
    })
    times.commit.push(ms)
    const [stored] = await log.lines(log.mustFold().head.seq)
    line = (stored as Uint8Array).slice().buffer
    times.commitBytes = line.byteLength
  }
  const rawRound = async (round: number): Promise<void> => {
    times.rawPut.push(await timed(() => put(raw, round, line)))
  }
  // What many agents do: the whole state, written anew at every save.
  const wholeRound = async (): Promise<void> => {
    times.wholePut.push(
      await timed(async () => put(raw, 'whole', new TextEncoder().encode(JSON.stringify(state)).buffer)),
    )
  }
  const measures = [commitRound, rawRound, wholeRound]
  for (let round = 0; round < warmup + rounds; round += 1) {
    // Each of the three follows each other one equally often, since it inherits the other's garbage and open writes.
    for (let place = 0; place < measures.length; place += 1)
      await measures[(round + place) % measures.length]?.(round)
    if (round === warmup - 1) for (const list of [times.commit, times.rawPut, times.wholePut]) list.length = 0
  }
  times.wholeBytes = JSON.stringify(state).length
  raw.close()
  await storage.close()
  indexedDB.deleteDatabase(`${name}-raw`)
  return times
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

addEventListener('message', ({ data }: MessageEvent<SaveRequest>) => {
  measure(data).then(
    (times) => postMessage({ times }),
    (error: unknown) =>
      postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
