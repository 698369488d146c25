import { openIndexedDb } from '@waystone/browser'
import { parseDigest, parseRunId } from '@waystone/core'

const run = parseRunId('writer')
const hashOf = (digit: string) => parseDigest(digit.repeat(64))
const opening = openIndexedDb('writes')

/** What a test asks of a page that writes. Everything it gives is JSON. */
const writes = {
  /** Stores a blob. */
  async keep(digit = 'a'): Promise<void> {
    await (await opening).blobs.put(run, hashOf(digit), new Uint8Array([1, 2, 3]))
  },

  /** Begins two writes at once that do not end: what each has put is with the browser. */
  async hold(): Promise<void> {
    const storage = await opening
    const put = IDBObjectStore.prototype.put
    const first = Promise.withResolvers<void>()
    IDBObjectStore.prototype.put = function (...args) {
      const request = put.apply(this, args)
      // A transaction goes on as long as something is asked of it.
      const ask = (): void => {
        first.resolve()
        this.count().addEventListener('success', ask)
      }
      request.addEventListener('success', ask)
      return request
    }
    void storage.blobs.put(run, hashOf('e'), new Uint8Array([4, 5, 6]))
    void storage.streams.append(run, '0/text', { at: 0, text: 'held' })
    await first.promise
    // Asked for after both, of a store that neither has.
    await storage.tails.list(run)
  },

  /** A blob that was stored. */
  async kept(digit = 'a'): Promise<readonly number[] | undefined> {
    const bytes = await (await opening).blobs.get(run, hashOf(digit))
    return bytes && [...bytes]
  },

  /** Why the browser has thrown the database away, if it has. */
  damage: async () => (await opening).damage,
}

declare global {
  interface Window {
    writes: typeof writes
  }
}
window.writes = writes
