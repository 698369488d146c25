import { browserClock, openIndexedDb } from '@waystone/browser'
import { beginLog, commitDraft, snapshotterOf } from '../_chat-log.ts'
import type { Message, Peer } from './peer.ts'

/** A commit a turn, snapshots and packing included. */
export const waystone: Peer = {
  keeps: 'every checkpoint, verified by a chain of digests',
  async open() {
    const storage = await openIndexedDb('waystone')
    const log = await beginLog('growth', storage, { messages: [] })
    const snapshotter = snapshotterOf(log, storage, { clock: browserClock() })
    return {
      async add(messages) {
        await commitDraft<{ messages: Message[] }>(log, (draft) => void draft.messages.push(...messages))
        // What is written between the turns belongs to them.
        await snapshotter.settle()
      },
      close: () => storage.store.close(),
    }
  },
}
