import { createStore } from 'tinybase'
import { createIndexedDbPersister } from 'tinybase/persisters/persister-indexed-db'
import type { Peer } from './peer.ts'

/** A table of messages, saved after every turn. */
export const tinybase: Peer = {
  keeps: 'the newest state',
  async open() {
    const store = createStore()
    const persister = createIndexedDbPersister(store, 'tinybase')
    let count = 0
    return {
      async add(messages) {
        store.transaction(() => {
          for (const message of messages) store.setRow('messages', String(count++), { ...message })
        })
        await persister.save()
      },
      async close() {
        await persister.destroy()
      },
    }
  },
}
