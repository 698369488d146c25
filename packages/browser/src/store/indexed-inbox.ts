import {
  checkInboxRoom,
  inboxItemBytes,
  limits,
  type Inbox,
  type InboxItem,
  type InboxPut,
  type RunId,
} from '@waystone/core'
import type { Connection } from './connection.ts'
import { read, write, type Writing } from './transact.ts'

/** Inboxes in IndexedDB. */
export function indexedInbox(connection: Connection): Inbox {
  const known = new Map<RunId, Weight>()
  return {
    async put(run, item) {
      const own = structuredClone(item)
      return connection.use((db) => write(db, ['inbox'], 'relaxed', (tx) => putItem(tx, run, own, known)))
    },
    async list(run) {
      // An index gives its records in the order of their keys, which count arrivals.
      const records = await connection.use((db) =>
        read(db, ['inbox'], (tx) => tx.objectStore('inbox').index('run').getAll(run)),
      )
      return records.map(({ item }) => item)
    },
    async remove(run, ids) {
      known.delete(run)
      await connection.use((db) =>
        write(db, ['inbox'], 'relaxed', async (tx) => {
          const inbox = tx.objectStore('inbox')
          const keys = await Promise.all(ids.map((id) => inbox.index('id').getKey([run, id])))
          await Promise.all(keys.map((key) => (key === undefined ? undefined : inbox.delete(key))))
        }),
      )
    },
  }
}

async function putItem(
  tx: Writing,
  run: RunId,
  item: InboxItem,
  known: Map<RunId, Weight>,
): Promise<InboxPut> {
  const inbox = tx.objectStore('inbox')
  const [same, taken, count] = await Promise.all([
    inbox.index('id').getKey([run, item.id]),
    item.type === 'answer' ? inbox.index('ask').getKey([run, item.ask]) : undefined,
    inbox.index('run').count(run),
  ])
  if (same !== undefined) return 'known'
  if (taken !== undefined) return 'taken'
  const others = await bytesOf(tx, run, count, known.get(run))
  const weight = { items: count + 1, bytes: others + inboxItemBytes(item) }
  checkInboxRoom(run, item, weight)
  if (count >= fewItems) known.set(run, weight)
  await inbox.add({ run, item })
  return 'added'
}

/** What waits in an inbox, when it was weighed last. */
interface Weight {
  readonly items: number
  readonly bytes: number
}

/** So many are below the limit in bytes, however large each is: they need not be read. */
const fewItems = Math.floor(limits.inboxBytesMax / limits.inboxItemBytesMax) - 1

/** Weighed anew when it has another number of items than before: another tab has written. */
async function bytesOf(tx: Writing, run: RunId, items: number, weight: Weight | undefined): Promise<number> {
  if (items < fewItems) return 0
  if (weight?.items === items) return weight.bytes
  const records = await tx.objectStore('inbox').index('run').getAll(run)
  return records.reduce((sum, { item }) => sum + inboxItemBytes(item), 0)
}
