import { textOf } from '../_text.ts'
import { automerge } from './automerge.ts'
import { dexie } from './dexie.ts'
import type { Grown, Message, Peer } from './peer.ts'
import { pouchdb } from './pouchdb.ts'
import { recordBytes } from './record-bytes.ts'
import { replicache } from './replicache.ts'
import { tinybase } from './tinybase.ts'
import { waystone } from './waystone.ts'
import { wholeState } from './whole-state.ts'
import { yjs } from './yjs.ts'

const peers: Readonly<Record<string, Peer>> = {
  waystone,
  'whole state': wholeState,
  replicache,
  yjs,
  automerge,
  tinybase,
  dexie,
  pouchdb,
}

declare global {
  interface Window {
    readonly names: readonly string[]
    grow(name: string, messages: number): Promise<Grown>
  }
}

Object.assign(window, { names: Object.keys(peers) })

/** Lets one of them keep a conversation of so many messages, two a turn. The origin has to be a fresh one. */
window.grow = async (name, messages) => {
  const peer = peers[name]
  if (peer === undefined) throw new Error(`there is no peer ${name}`)
  const open = await peer.open()
  const turns: number[] = []
  let rawBytes = 0
  for (let at = 0; at < messages; at += 2) {
    const added: readonly Message[] = [
      { role: 'user', text: textOf(at, 1_000) },
      { role: 'assistant', text: textOf(at + 1, 1_000) },
    ]
    rawBytes += JSON.stringify(added).length
    const from = performance.now()
    await open.add(added)
    turns.push(performance.now() - from)
  }
  await open.close()
  const { usage = 0 } = await navigator.storage.estimate()
  return { keeps: peer.keeps, turns, rawBytes, recordBytes: await recordBytes(), diskBytes: usage }
}
