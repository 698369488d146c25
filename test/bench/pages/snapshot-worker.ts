import { browserClock, openIndexedDb } from '@waystone/browser'
import {
  createDraft,
  diff,
  encodeValue,
  parseDigest,
  parseOwnerId,
  parseRunId,
  RunLog,
  Snapshotter,
  type Value,
} from '@waystone/core'
import { textOf } from '../_text.ts'

interface Chat {
  messages: string[]
}

/** What the bench asks of the worker, and what it answers. */
export interface SnapshotRequest {
  readonly bytes: number
  /** Between two appends, in ms. */
  readonly everyMs: number
  /** How many appends come without a snapshot beside them. */
  readonly alone: number
}

export interface SnapshotTimes {
  /** Of each append, in ms. */
  readonly alone: readonly number[]
  readonly beside: readonly number[]
  readonly snapshotMs: number
}

const me = parseOwnerId('bench')
const messageChars = 1_000
/** What one commit says has a limit. */
const messagesAtOnce = 8_000

/** Appends at a pace, first alone, then beside the making of a snapshot of a large state. */
async function measure({ bytes, everyMs, alone }: SnapshotRequest): Promise<SnapshotTimes> {
  const name = `bench-${crypto.randomUUID()}`
  const { store, snapshots, blobs } = await openIndexedDb(name)
  const log = await RunLog.open(parseRunId('bench'), { store, snapshots, blobs, now: () => Date.now() })
  const start = {
    ...{ agent: 'chat', version: 1, config: parseDigest('0'.repeat(64)), input: null },
    ...{ place: 'browser' as const, whenGone: 'offer' as const, leaseMs: 30_000, nonce: 'bench', sdk: '0' },
    state: encodeValue({ messages: [] }),
  } as const
  await log.append(me, () => [{ kind: 'start', body: start }])
  const commit = async (messages: readonly string[]): Promise<void> => {
    const { state, turn } = log.mustFold()
    const { draft, finish } = createDraft(state as unknown as Chat)
    draft.messages.push(...messages)
    const next = finish() as unknown as Value
    const body = { turn, rules: 1, version: 1, delta: diff(state, next), next: { type: 'next' } } as const
    await log.append(me, () => [{ kind: 'commit', body }], { state: next })
  }
  let said = 0
  const say = (count: number): readonly string[] =>
    Array.from({ length: count }, () => textOf(said++, messageChars))
  for (let left = bytes / messageChars; left > 0; left -= messagesAtOnce)
    await commit(say(Math.min(left, messagesAtOnce)))

  const appended = async (times: number[]): Promise<void> => {
    const messages = say(2)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
    const from = performance.now()
    await commit(messages)
    times.push(performance.now() - from)
  }
  const times = { alone: [] as number[], beside: [] as number[] }
  while (times.alone.length < alone) await appended(times.alone)
  // Made now, over the state as it has become: nothing was written before it.
  const snapshotter = new Snapshotter(log, {
    ...{ me, blobs, snapshots, clock: browserClock() },
    mayAppend: () => true,
    retention: () => undefined,
    synced: () => Infinity,
    failed(error) {
      throw error
    },
  })
  const from = performance.now()
  let isMade = false
  const making = snapshotter.settle().then(() => (isMade = true))
  while (!isMade) await appended(times.beside)
  await making
  const snapshotMs = performance.now() - from
  snapshotter.close()
  await store.close()
  indexedDB.deleteDatabase(name)
  return { ...times, snapshotMs }
}

addEventListener('message', ({ data }: MessageEvent<SnapshotRequest>) => {
  measure(data).then(
    (measured) => postMessage(measured),
    (error: unknown) =>
      postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
