import {
  createDraft,
  diff,
  encodeValue,
  parseRunId,
  parseDigest,
  RunLog,
  Snapshotter,
  type OwnerId,
  type Value,
} from '@waystone/core'
import { browserClock, openIndexedDb } from '@waystone/browser'
import type { Message, Peer } from './peer.ts'

const me = 'bench' as OwnerId

/** A commit a turn, snapshots and packing included. */
export const waystone: Peer = {
  keeps: 'every checkpoint, verified by a chain of digests',
  async open() {
    const { store, snapshots, blobs } = await openIndexedDb('waystone')
    const log = await RunLog.open(parseRunId('growth'), { store, snapshots, blobs, now: () => Date.now() })
    const snapshotter = new Snapshotter(log, {
      me,
      blobs,
      snapshots,
      clock: browserClock(),
      mayAppend: () => true,
      retention: () => undefined,
      synced: () => Infinity,
      failed(error) {
        throw error
      },
    })
    const start = {
      agent: 'chat',
      version: 1,
      config: parseDigest('0'.repeat(64)),
      input: null,
      place: 'browser',
      whenGone: 'offer',
      leaseMs: 30_000,
      nonce: 'bench',
      sdk: '0',
      state: encodeValue({ messages: [] }),
    } as const
    await log.append(me, () => [{ kind: 'start', body: start }])
    return {
      async add(messages) {
        const { state, turn } = log.mustFold()
        const { draft, finish } = createDraft(state as unknown as { messages: Message[] })
        draft.messages.push(...messages)
        const after = finish() as unknown as Value
        const body = {
          turn,
          rules: 1,
          version: 1,
          delta: diff(state, after),
          next: { type: 'next' },
        } as const
        await log.append(me, () => [{ kind: 'commit', body }], { state: after })
        // What is written between the turns belongs to them.
        await snapshotter.settle()
      },
      close: () => store.close(),
    }
  },
}
