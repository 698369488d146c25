import { browserClock, openIndexedDb } from '@waystone/browser'
import { beginLog, commitDraft, snapshotterOf } from '../_chat-log.ts'
import { textOf } from '../_text.ts'
import { answerWith } from './ask-worker.ts'

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

const messageChars = 1_000
/** What one commit says has a limit. */
const messagesAtOnce = 8_000

/** Appends at a pace, first alone, then beside the making of a snapshot of a large state. */
async function measure({ bytes, everyMs, alone }: SnapshotRequest): Promise<SnapshotTimes> {
  const name = `bench-${crypto.randomUUID()}`
  const storage = await openIndexedDb(name)
  const log = await beginLog('bench', storage, { messages: [] })
  const commit = (messages: readonly string[]): Promise<void> =>
    commitDraft<Chat>(log, (draft) => void draft.messages.push(...messages))
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
  const snapshotter = snapshotterOf(log, storage, { clock: browserClock() })
  const from = performance.now()
  let isMade = false
  const making = snapshotter.settle().then(() => (isMade = true))
  while (!isMade) await appended(times.beside)
  await making
  const snapshotMs = performance.now() - from
  snapshotter.close()
  await storage.store.close()
  indexedDB.deleteDatabase(name)
  return { ...times, snapshotMs }
}

answerWith(measure)
