import { openDB } from 'idb'
import type { Message, Peer } from './peer.ts'

/** What one writes by hand: the whole state at every turn, each under a key of its own. */
export const wholeState: Peer = {
  keeps: 'every checkpoint, each of them whole',
  async open() {
    const db = await openDB('whole-state', 1, {
      upgrade: (made) => void made.createObjectStore('checkpoints'),
    })
    const chat: Message[] = []
    let turn = 0
    return {
      async add(messages) {
        chat.push(...messages)
        turn += 1
        await db.put('checkpoints', JSON.stringify(chat), turn)
      },
      close: () => Promise.resolve(db.close()),
    }
  },
}
