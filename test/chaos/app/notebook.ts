import { isWaystoneError } from '@waystone/core'
import type { ForkedSession, Session } from '@waystone/core/session'

/** The state of the session into which devices write as they live. */
export interface Notes {
  notes: string[]
  /** How many there are: one that is written over a newer state shows here. */
  count: number
}

/** What is in a session, or was set aside of it. */
export interface Pages {
  readonly notes: readonly string[]
  readonly count: number
  /** Notes that were written as records. */
  readonly keys: readonly string[]
}

/** A session as a device has it. */
export interface Notebook extends Pages {
  /** The digest of its last entry. */
  readonly head: string
  readonly setAside: readonly Pages[]
}

/** Writes notes until it is told to stop. */
export interface NoteTaker {
  stop(): Promise<void>
  /** The session after it has heard of the others. */
  look(): Promise<Notebook>
}

/** Who writes. */
export interface NoteTakerOptions {
  /** Notes begin with it; nobody else's do. */
  readonly name: string
  /** Between two notes. */
  readonly pauseMs: number
  /** Hears each note that was acknowledged. */
  readonly written: (note: string) => void
  /** Hears what no session may reject with. */
  readonly failed: (why: string) => void
}

/** One note of so many is a record, the others are in the state. */
const recordEvery = 4

/** What a new session has. */
export const noNotes = (): Notes => ({ notes: [], count: 0 })

/** Writes into a session, one note after the other. */
export function takeNotes(session: Session<Notes>, options: NoteTakerOptions): NoteTaker {
  const { name, pauseMs, written, failed } = options
  const forks: ForkedSession<Notes>[] = []
  session.onForked((forked) => forks.push(forked))
  let stopped = false

  const write = (note: string, count: number): Promise<unknown> =>
    count % recordEvery === 0
      ? session.put(note, note)
      : session.update((draft) => {
          draft.notes.push(note)
          draft.count += 1
        })
  const writing = (async () => {
    for (let count = 1; !stopped; count += 1) {
      const note = `${name}.${String(count)}`
      try {
        await write(note, count)
        written(note)
      } catch (error) {
        // It may be out of reach, or somebody else's again.
        if (!isWaystoneError(error) || error.code === 'bug') failed(`${note}: ${String(error)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  })()

  return {
    async stop() {
      stopped = true
      await writing
    },
    async look() {
      await session.refresh()
      return {
        head: session.head.digest,
        ...session.state,
        keys: [...session.records().keys()],
        setAside: forks.map(({ mine, records }) => ({ ...mine, keys: [...records.keys()] })),
      }
    },
  }
}
