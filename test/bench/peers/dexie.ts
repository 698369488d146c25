import { Dexie, type Table } from 'dexie'
import type { Message, Peer } from './peer.ts'

/** Tables for a conversation: what one models by hand, since only the author knows that messages never change. */
export const dexie: Peer = {
  keeps: 'the newest state: a row a message and a row a turn, modelled for this conversation alone',
  async open() {
    const db = new Dexie('dexie') as Dexie & {
      messages: Table<Message & { at: number }>
      turns: Table<{ turn: number; upTo: number }>
    }
    db.version(1).stores({ messages: 'at', turns: 'turn' })
    await db.open()
    let count = 0
    let turn = 0
    return {
      async add(messages) {
        const rows = messages.map((message) => ({ ...message, at: count++ }))
        await db.transaction('rw', db.messages, db.turns, async () => {
          await db.messages.bulkAdd(rows)
          await db.turns.add({ turn: turn++, upTo: count })
        })
      },
      close: () => Promise.resolve(db.close()),
    }
  },
}
