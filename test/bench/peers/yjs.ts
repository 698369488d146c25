import { IndexeddbPersistence } from 'y-indexeddb'
import { Doc, type Array as SharedArray } from 'yjs'
import type { Message, Peer } from './peer.ts'

/** A shared array, its updates in IndexedDB. A read behind each tells when it is stored, which it does not itself. */
export const yjs: Peer = {
  keeps: 'the newest state; a document that collects no garbage could show states before it',
  async open() {
    const doc = new Doc()
    const kept = new IndexeddbPersistence('yjs', doc)
    await kept.whenSynced
    const messages: SharedArray<Message> = doc.getArray('messages')
    const stored = (): Promise<void> =>
      new Promise((resolve, reject) => {
        if (kept.db === null) throw new Error('y-indexeddb has no database')
        const request = kept.db.transaction('updates').objectStore('updates').count()
        request.onsuccess = () => resolve()
        request.onerror = () => reject(new Error('y-indexeddb cannot be read', { cause: request.error }))
      })
    return {
      async add(added) {
        messages.push([...added])
        await stored()
      },
      async close() {
        await stored()
        await kept.destroy()
      },
    }
  },
}
