import { change, from, initializeBase64Wasm, saveIncremental } from '@automerge/automerge/slim'
import { automergeWasmBase64 } from '@automerge/automerge/automerge.wasm.base64'
import { openDB } from 'idb'
import type { Message, Peer } from './peer.ts'

/** A document whose changes are stored one by one, as its repository does between two times of putting them together. */
export const automerge: Peer = {
  keeps: 'every change',
  async open() {
    await initializeBase64Wasm(automergeWasmBase64)
    const db = await openDB('automerge', 1, { upgrade: (made) => void made.createObjectStore('changes') })
    let doc = from<{ messages: Message[] }>({ messages: [] })
    let turn = 0
    const store = async (): Promise<void> => {
      await db.put('changes', saveIncremental(doc), turn)
      turn += 1
    }
    await store()
    return {
      async add(messages) {
        doc = change(doc, (draft) => void draft.messages.push(...messages.map((message) => ({ ...message }))))
        await store()
      },
      close: () => Promise.resolve(db.close()),
    }
  },
}
