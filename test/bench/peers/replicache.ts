import { Replicache, TEST_LICENSE_KEY, type WriteTransaction } from 'replicache'
import type { Message, Peer } from './peer.ts'
import { recordBytes } from './record-bytes.ts'

/** A key a message, without a server. It stores when it is idle and does not tell when: its turns wait for memory alone. */
export const replicache: Peer = {
  keeps: 'the newest state and what no server has taken yet; a turn is not stored when it ends',
  async open() {
    const store = new Replicache({
      name: 'bench',
      licenseKey: TEST_LICENSE_KEY,
      mutators: {
        async add(tx: WriteTransaction, { at, messages }: { at: number; messages: readonly Message[] }) {
          for (const [index, message] of messages.entries())
            await tx.set(`message/${String(at + index).padStart(8, '0')}`, { ...message })
        },
      },
    })
    let count = 0
    let bytes = 0
    return {
      async add(messages) {
        await store.mutate.add({ at: count, messages })
        count += messages.length
        for (const { text } of messages) bytes += text.length
      },
      async close() {
        const deadline = performance.now() + 30_000
        while ((await recordBytes()) < bytes) {
          if (performance.now() > deadline) throw new Error('Replicache has not stored everything in 30 s')
          await new Promise((resolve) => requestIdleCallback(resolve))
        }
        await store.close()
      },
    }
  },
}
