import type { RunId, Streams, StreamText } from '@waystone/core'
import type { Connection } from './connection.ts'
import { keysFrom, keysOf } from './database.ts'
import { read, write, type Reading, type Writing } from './transact.ts'

/** The text of one record in UTF-16 units, two bytes each: below `limits.recordBytesMax`. */
const recordCharsMax = 31_000

/** The side log of streams in IndexedDB: a record for each append, keyed by the position of its text. */
export function indexedStreams(connection: Connection): Streams {
  return {
    async append(run, stream, chunk) {
      const own = { at: chunk.at, text: chunk.text }
      await connection.use((db) =>
        write(db, ['streams'], 'relaxed', (tx) => appendText(tx, run, stream, own)),
      )
    },
    async read(run, stream, from) {
      return connection.use((db) => read(db, ['streams'], (tx) => readText(tx, run, stream, from)))
    },
    async remove(run, streams) {
      await connection.use((db) =>
        write(db, ['streams'], 'relaxed', async (tx) => {
          await Promise.all(streams.map((stream) => tx.objectStore('streams').delete(keysOf(run, stream))))
        }),
      )
    },
  }
}

/** Puts text at its position and forgets what was there and after it. Text after a gap is not taken. */
async function appendText(tx: Writing, run: RunId, stream: string, { at, text }: StreamText): Promise<void> {
  const streams = tx.objectStore('streams')
  const last = await streams.openCursor(keysOf(run, stream), 'prev')
  const length = last ? last.key[2] + last.value.length : 0
  if (at > length) return
  const requests: Promise<unknown>[] = []
  if (last && at < length) {
    // The record that reaches over the position keeps what is before it.
    const before = IDBKeyRange.bound([run, stream, -Infinity], [run, stream, at], false, true)
    const cut = await streams.openCursor(before, 'prev')
    requests.push(streams.delete(keysFrom([run, stream], at)))
    if (cut) requests.push(streams.put(cut.value.slice(0, at - cut.key[2]), cut.key))
  }
  for (let from = 0; from < text.length; from += recordCharsMax) {
    requests.push(streams.put(text.slice(from, from + recordCharsMax), [run, stream, at + from]))
  }
  await Promise.all(requests)
}

async function readText(tx: Reading, run: RunId, stream: string, from: number): Promise<StreamText> {
  const streams = tx.objectStore('streams')
  const upTo = IDBKeyRange.bound([run, stream, -Infinity], [run, stream, from])
  const first = (await streams.openKeyCursor(upTo, 'prev'))?.key[2] ?? from
  const texts = await streams.getAll(keysFrom([run, stream], first))
  return { at: from, text: texts.join('').slice(from - first) }
}
