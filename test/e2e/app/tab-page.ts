import { browserClock, browserRandom, openIndexedDb, openSession, type StorageState } from '@waystone/browser'
import { openSession as openCoreSession, type Session } from '@waystone/core/session'

interface Notes {
  readonly notes: string[]
}

const options = { id: 'shared', initial: { notes: [] as string[] } }
let session: Session<Notes> | undefined

/** How many channels are open here, and states of storage heard. */
const count = { channels: 0, storage: 0 }
let state: StorageState | undefined

globalThis.BroadcastChannel = class extends BroadcastChannel {
  constructor(name: string) {
    super(name)
    count.channels += 1
  }
  override close(): void {
    count.channels -= 1
    super.close()
  }
}

function heard(told: StorageState): void {
  count.storage += 1
  state = told
}

/** What tests ask of a tab with a session. Everything it gives is JSON. */
const tab = {
  async open(): Promise<void> {
    session = await openSession<Notes>({ ...options, onStorage: heard })
  },
  close: () => session?.close(),
  notes: () => session?.state.notes,
  count: () => count,
  state: () => state,
  async note(text: string): Promise<void> {
    await session?.update((draft) => void draft.notes.push(text))
  },

  /** Throws the databases of this site away, as people and browsers do, and finds out that they are gone. */
  async throwAway(): Promise<string> {
    for (const { name } of await indexedDB.databases())
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(String(name))
        request.onsuccess = resolve
        request.onerror = reject
      })
    return tab.note('gone').then(
      () => 'kept',
      ({ code }: { readonly code: string }) => code,
    )
  },

  /** Notes something as a host of the same storage that has no way to tell the others. */
  async noteQuietly(text: string): Promise<void> {
    const storage = await openIndexedDb('default')
    const me = await storage.device()
    const quiet = await openCoreSession<Notes>({
      ...{ ...options, storage, me, clock: browserClock(), random: browserRandom },
    })
    await quiet.update((draft) => void draft.notes.push(text))
    await quiet.close()
    await storage.store.close()
  },

  /** Begins a change that others are faster than, so that it takes the lock, and that never ends. */
  hold(): void {
    let times = 0
    void session?.update(async (draft) => {
      times += 1
      if (times > 1) await new Promise(() => undefined)
      await tab.noteQuietly('faster')
      draft.notes.push('slow')
    })
  },
  async locks(): Promise<readonly (string | undefined)[]> {
    const { held = [], pending = [] } = await navigator.locks.query()
    return [...held, ...pending].map(({ name }) => name)
  },
}

Object.assign(globalThis, { tab })
