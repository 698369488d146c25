import type { Entry } from '../log/entry.ts'
import { parseLine } from '../log/entry.ts'
import { entryReader } from './entry-reader.ts'
import { partingOf, type Parting } from './forked.ts'
import type { SetAside } from '../ports/tails.ts'
import type { SessionHost } from './session-host.ts'

/** What was set aside, and how to read the values in it. */
export interface SetAsideState extends Parting {
  entryAt(seq: number): Promise<Entry>
  drop(): Promise<void>
}

interface Listener {
  /** Throws when that cannot be told with the code that is here. */
  readonly hear: (state: SetAsideState) => void
  readonly told: Set<string>
}

/** Tells what was set aside of a session, to each listener once. */
export class ForkNews {
  readonly #host: SessionHost
  readonly #listeners = new Set<Listener>()
  #telling: Promise<void> = Promise.resolve()
  /** Something could not be read: it is told yet. */
  #isOwed = false

  constructor(host: SessionHost) {
    this.#host = host
  }

  listen(hear: (state: SetAsideState) => void): () => void {
    const listener = { hear, told: new Set<string>() }
    this.#listeners.add(listener)
    void this.tell()
    return () => this.#listeners.delete(listener)
  }

  /** Looks for what is new. Never rejects: what could not be read now is told by the next `settle`. */
  tell(): Promise<void> {
    this.#telling = this.#telling
      .then(() => this.#tell())
      .catch(() => {
        this.#isOwed = true
      })
    return this.#telling
  }

  /** Resolves when all that was found was told, or cannot be read now. */
  settle(): Promise<void> {
    return this.#isOwed ? this.tell() : this.#telling
  }

  close(): void {
    this.#listeners.clear()
  }

  async #tell(): Promise<void> {
    const { log, setup } = this.#host
    const { tails } = setup.storage
    this.#isOwed = false
    const all = this.#listeners.size === 0 ? [] : await tails.list(log.run)
    for (const tail of all) {
      const waiting = [...this.#listeners].filter(({ told }) => !told.has(tail.name))
      const parting = waiting.length === 0 ? undefined : await this.#partingOf(tail, all)
      // One that cannot be read may be when something else was set aside, which it follows.
      if (parting === undefined) continue
      const here = entryReader(log, setup)
      const lines = new Map(tail.lines.map((line) => [parseLine(line).seq, line]))
      const entryAt = async (seq: number): Promise<Entry> => {
        const line = lines.get(seq)
        const [entry] = line ? await log.reader.resolve([parseLine(line)]) : []
        return entry ?? here(seq)
      }
      const drop = (): Promise<void> => tails.drop(log.run, tail.name)
      for (const listener of waiting) this.#hear(listener, tail.name, { ...parting, entryAt, drop })
    }
  }

  /** What a listener cannot be told now, as with a state of newer code, keeps it and others from nothing else. */
  #hear(listener: Listener, name: string, state: SetAsideState): void {
    // It may have stopped meanwhile.
    if (!this.#listeners.has(listener)) return
    try {
      listener.hear(state)
      listener.told.add(name)
    } catch {
      this.#isOwed = true
    }
  }

  /** Undefined, too, when it cannot be read now: that keeps nobody from hearing of the others. */
  async #partingOf(tail: SetAside, all: readonly SetAside[]): Promise<Parting | undefined> {
    try {
      return await partingOf(this.#host.log, tail, all)
    } catch {
      this.#isOwed = true
      return undefined
    }
  }
}
