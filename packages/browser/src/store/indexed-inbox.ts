import { inboxFull, limits, type Inbox, type InboxItem, type InboxPut, type RunId } from '@waystone/core'
import type { Connection } from './connection.ts'
import { read, write, type Writing } from './transact.ts'

/** Inboxes in IndexedDB. */
export function indexedInbox(connection: Connection): Inbox {
  return {
    async put(run, item) {
      const own = structuredClone(item)
      return connection.use((db) => write(db, ['inbox'], 'relaxed', (tx) => putItem(tx, run, own)))
    },
    async list(run) {
      // An index gives its records in the order of their keys, which count arrivals.
      const records = await connection.use((db) =>
        read(db, ['inbox'], (tx) => tx.objectStore('inbox').index('run').getAll(run)),
      )
      return records.map(({ item }) => item)
    },
    async remove(run, ids) {
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

async function putItem(tx: Writing, run: RunId, item: InboxItem): Promise<InboxPut> {
  const inbox = tx.objectStore('inbox')
  const [known, taken, count] = await Promise.all([
    inbox.index('id').getKey([run, item.id]),
    item.type === 'answer' ? inbox.index('ask').getKey([run, item.ask]) : undefined,
    inbox.index('run').count(run),
  ])
  if (known !== undefined) return 'known'
  if (taken !== undefined) return 'taken'
  if (count >= limits.inboxItemsMax) throw inboxFull(run)
  await inbox.add({ run, item })
  return 'added'
}
