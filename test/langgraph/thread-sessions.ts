import { digestBytes, parseRunId, utf8, type RunId } from '@waystone/core'
import { openSession, type Session, type SessionOptions } from '@waystone/core/session'

/** What the sessions of threads are opened with. */
export type ThreadOptions = Omit<SessionOptions<Thread>, 'id' | 'initial'>

/** The state of a session: which thread it is. All else is in its records. */
export interface Thread {
  readonly thread: string
}

const idPrefix = 'langgraph.'

/** One session for each thread, opened when it is asked for. */
export class ThreadSessions {
  readonly #options: ThreadOptions
  readonly #open = new Map<string, Promise<Session<Thread>>>()

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  /** The session of a thread, new if there is none. */
  open(thread: string): Promise<Session<Thread>> {
    const known = this.#open.get(thread)
    if (known) return known
    const opening = openSession<Thread>({ ...this.#options, id: idOf(thread), initial: { thread } })
    this.#open.set(thread, opening)
    opening.catch(() => this.#open.delete(thread))
    return opening
  }

  /** The session of a thread, if there is one here or there may be one at the edge. */
  async find(thread: string): Promise<Session<Thread> | undefined> {
    const { storage, edge } = this.#options
    const isThere = this.#open.has(thread) || edge || (await storage.store.head(idOf(thread)))
    return isThere ? this.open(thread) : undefined
  }

  /** The threads that are kept here. */
  async *threads(): AsyncGenerator<string, void> {
    const { storage } = this.#options
    for (let after: RunId | undefined; ;) {
      const page = await storage.store.list(after)
      for (const { run } of page) if (run.startsWith(idPrefix)) yield await this.#threadOf(run)
      after = page.at(-1)?.run
      if (after === undefined) return
    }
  }

  async close(): Promise<void> {
    for (const session of await Promise.all(this.#open.values())) await session.close()
    this.#open.clear()
  }

  async #threadOf(run: RunId): Promise<string> {
    for (const [thread] of this.#open) if (idOf(thread) === run) return thread
    const session = await openSession<Thread>({ ...this.#options, id: run, initial: { thread: '' } })
    const { thread } = session.state
    if (this.#open.has(thread)) await session.close()
    else this.#open.set(thread, Promise.resolve(session))
    return thread
  }
}

/** An id for a name of any kind: itself where it can be one, else by its hash. */
function idOf(thread: string): RunId {
  const isPlain = /^[A-Za-z0-9_-]{1,80}$/.test(thread)
  return parseRunId(idPrefix + (isPlain ? thread : `~${digestBytes(utf8(thread))}`))
}
