import PouchDB from 'pouchdb-browser'
import type { Message, Peer } from './peer.ts'

/** A document whose revisions are all kept, until somebody compacts it. */
export const pouchdb: Peer = {
  keeps: 'every revision, each of them whole',
  async open() {
    const db = new PouchDB('pouchdb')
    const chat: Message[] = []
    let revision: string | undefined
    return {
      async add(messages) {
        chat.push(...messages)
        const put = await db.put({ _id: 'chat', messages: chat, ...(revision ? { _rev: revision } : {}) })
        revision = put.rev
      },
      close: () => db.close(),
    }
  },
}
