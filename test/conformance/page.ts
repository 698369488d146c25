import { openIndexedDb, storageFor, type BrowserStorage } from '@waystone/browser'
import { isWaystoneError, parseDigest, parseRunId, type Appended, type Head } from '@waystone/core'
import type { CaseResult } from '@waystone/testing'
import { entryAfter, headAfter, run } from './entries.ts'
import type { HostPortName } from './hosts.ts'
import { runBrowserHostCase } from './page-hosts.ts'
import { stored } from './page-stored.ts'
import { runIndexedDbCase } from './page-subjects.ts'
import type { PortName } from './ports.ts'
import type { Ways } from './remote-world.ts'
import type { Asked } from './worker.ts'

let worker: Worker | undefined

/** Has the worker run a case. */
function askWorker(asked: Asked): Promise<CaseResult> {
  worker ??= new Worker('./worker.js', { type: 'module' })
  const { promise, resolve, reject } = Promise.withResolvers<CaseResult>()
  worker.onmessage = (event: MessageEvent<CaseResult>) => resolve(event.data)
  worker.onerror = (event) => reject(new Error(event.message))
  worker.postMessage(asked)
  return promise
}

const storages = new Map<string, BrowserStorage>()

/** What tests ask of the page, by name, in expressions. Everything it gives is JSON. */
const page = {
  runInPage: runIndexedDbCase,

  runInWorker: (port: PortName | 'durable', name: string): Promise<CaseResult> =>
    askWorker(['storage', port, name]),

  runHostInPage: runBrowserHostCase,
  runHostInWorker: (port: HostPortName, name: string, ways: Ways): Promise<CaseResult> =>
    askWorker(['host', port, name, ways]),

  /** Opens a storage and keeps it under its name; says `ok` or the code of the error. */
  open: (name: string, openMsMax = 10_000): Promise<string> =>
    codeOf(async () => {
      storages.set(name, await openIndexedDb(name, { openMsMax }))
      return 'ok'
    }),

  /** Appends entries one by one at the head; `acknowledged` counts them as they go. */
  append: (name: string, count: number, bytes = 400): Promise<string> =>
    codeOf(async () => {
      for (let index = 0; index < count; index += 1) {
        const { store } = mustOpen(name)
        const head = await store.head(run)
        const line = entryAfter(head, 'x'.repeat(bytes))
        const answer: Appended = await store.append(run, { base: head, lines: [line], durability: 'relaxed' })
        if (!answer.ok) return answer.code
        page.acknowledged += 1
      }
      return 'ok'
    }),

  acknowledged: 0,
  stopped: false,

  /** Appends entries until `stopped`. */
  appendUntilStopped: (name: string): Promise<string> => appendWhile(name, () => !page.stopped),

  /**
   * Appends until that fails, then loads this page anew and opens the storage again. Tells a server, which need not
   * answer, when some entries are there (`begun`) and how it ended (`over`), for a driver that is gone by then.
   */
  async appendAndReport(name: string, server: string): Promise<void> {
    const answer = await appendWhile(name, () => {
      if (page.acknowledged === 100) report(server, 'begun', '')
      return true
    })
    location.search = new URLSearchParams({ name, server, answer }).toString()
  },

  /** Appends one entry after a head that the caller says it knows, as a tab does that does not look first. */
  appendAfter: (name: string, base: Head | undefined, text: string): Promise<string> =>
    codeOf(async () => {
      const line = entryAfter(base ?? undefined, text)
      const answer = await mustOpen(name).store.append(run, {
        base: base ?? undefined,
        lines: [line],
        durability: 'relaxed',
      })
      return answer.ok ? 'ok' : answer.code
    }),

  head: async (name: string): Promise<Head | null> => (await mustOpen(name).store.head(run)) ?? null,

  /** How many lines the log holds, or the code of the error. */
  count: (name: string): Promise<number | string> =>
    codeOf(async () => {
      let count = 0
      for (;;) {
        const lines = await mustOpen(name).store.read(run, count)
        if (lines.length === 0) return count
        count += lines.length
      }
    }),

  /** Lets entries go and packs others. */
  compact: (name: string, forget: number, cold: number): Promise<string> =>
    codeOf(async () => {
      await mustOpen(name).store.compact(run, { forget, cold })
      return 'ok'
    }),

  tails: async (name: string): Promise<object> =>
    (await mustOpen(name).tails.list(run)).map(({ reason, lines }) => ({ reason, lines: lines.length })),

  /** Puts a blob of zeros. */
  putBlob: (name: string, of: string, hash: string, bytes: number, cold: boolean): Promise<string> =>
    codeOf(async () => {
      await mustOpen(name).blobs.put(parseRunId(of), parseDigest(hash), new Uint8Array(bytes), { cold })
      return 'ok'
    }),

  async blob(name: string, of: string, hash: string): Promise<readonly number[] | null> {
    const bytes = await mustOpen(name).blobs.get(parseRunId(of), parseDigest(hash))
    return bytes ? [...bytes] : null
  },

  removeBlob: (name: string, of: string, hash: string): Promise<string> =>
    codeOf(async () => {
      await mustOpen(name).blobs.remove(parseRunId(of), [parseDigest(hash)])
      return 'ok'
    }),

  stored,

  device: (name: string): Promise<string> => mustOpen(name).device(),
  close: (name: string): Promise<void> => mustOpen(name).store.close(),

  /** Asks the browser to delete a database, as another tab or a person would. */
  deleteDatabase: (name: string): Promise<string> => asPromise(indexedDB.deleteDatabase(`waystone-${name}`)),

  /** Asks for it where another tab holds the database; resolves once it waits for that one. */
  beginDeletion: (name: string): Promise<void> =>
    new Promise((resolve) => {
      indexedDB.deleteDatabase(`waystone-${name}`).onblocked = () => resolve()
    }),

  /** Opens a database with a version that a later Waystone might have; resolves once it is open. */
  upgradeDatabase: (name: string): Promise<string> => asPromise(indexedDB.open(`waystone-${name}`, 1_000)),

  /** Begins such an upgrade and gives it up, so that every connection was closed for nothing. */
  giveUpUpgrade: (name: string): Promise<string> => {
    const request = indexedDB.open(`waystone-${name}`, 1_000)
    request.onupgradeneeded = () => request.transaction?.abort()
    return asPromise(request)
  },

  /** Holds a database open as a tab without a handler for `versionchange` does. */
  holdDatabase(name: string): Promise<string> {
    const request = indexedDB.open(`waystone-${name}`)
    held.push(request)
    return asPromise(request)
  },

  /** Where a storage is kept in this document, and whether it works. */
  async storageHere(name: string): Promise<object> {
    const storage = await storageFor(name)
    const line = entryAfter(undefined, 'kept')
    const answer = await storage.store.append(run, { base: undefined, lines: [line], durability: 'relaxed' })
    const head = await storage.store.head(run)
    await storage.store.close()
    return { storage: storage.storage, ok: answer.ok && head?.digest === headAfter(line).digest }
  },

  /** The same in a frame with an origin of its own, to which browsers give no storage. */
  async storageInSandbox(name: string): Promise<object> {
    const code = await (await fetch('./page.js')).text()
    const frame = document.createElement('iframe')
    frame.setAttribute('sandbox', 'allow-scripts')
    const { promise, resolve } = Promise.withResolvers<object>()
    addEventListener('message', (event: MessageEvent<object>) => resolve(event.data), { once: true })
    const call = `page.storageHere(${JSON.stringify(name)}).catch((error) => ({ error: String(error) }))`
    const script = `${code};${call}.then((result) => parent.postMessage(result, '*'))`
    frame.srcdoc = `<script type="module">${script.replaceAll('</script', '<\\/script')}</script>`
    document.body.append(frame)
    return promise
  },
}

Object.assign(globalThis, { page })
void reportAfterLoad(new URLSearchParams(location.search))

async function reportAfterLoad(search: URLSearchParams): Promise<void> {
  const [name, server, answer] = [search.get('name'), search.get('server'), search.get('answer')]
  if (name === null || server === null) return
  report(server, 'over', `${String(answer)}, then ${await page.open(name)}`)
}

function report(server: string, about: string, body: string): void {
  const headers = { 'idempotency-key': about }
  fetch(`${server}/effect/${about}`, { method: 'POST', headers, body }).catch(() => undefined)
}

function mustOpen(name: string): BrowserStorage {
  const storage = storages.get(name)
  if (storage === undefined) throw new Error(`no storage ${name} is open`)
  return storage
}

/**
 * Appends ten entries at a time, in calls that do not wait for each other. Each is appended twice: the second time takes
 * two transactions, so that a connection can also end between them.
 */
function appendWhile(name: string, goOn: () => boolean): Promise<string> {
  return codeOf(async () => {
    const { store } = mustOpen(name)
    let head = await store.head(run)
    while (goOn()) {
      const answers = Array.from({ length: 10 }, () => {
        const base = head
        const line = entryAfter(base, 'x'.repeat(400))
        head = headAfter(line)
        const append = { base, lines: [line], durability: 'relaxed' } as const
        return Promise.all([store.append(run, append), store.append(run, append)])
      })
      for (const answer of (await Promise.all(answers)).flat()) if (!answer.ok) return answer.code
      page.acknowledged += answers.length
    }
    return 'ok'
  })
}

async function codeOf<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work()
  } catch (error) {
    if (isWaystoneError(error)) return error.code
    throw error
  }
}

/** What nothing refers to the browser may close. */
const held: IDBOpenDBRequest[] = []

function asPromise(request: IDBOpenDBRequest): Promise<string> {
  return new Promise((resolve) => {
    request.onsuccess = () => resolve('ok')
    request.onerror = () => resolve(request.error?.name ?? 'no error')
  })
}
