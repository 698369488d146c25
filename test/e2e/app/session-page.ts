import { browserClock, browserRandom, edgeClient, openIndexedDb } from '@waystone/browser'
import { openSession, type ForkedSession, type Session, type SessionRetention } from '@waystone/core/session'

interface Notes {
  readonly notes: string[]
}

/** A session in the hands of the test, and what was set aside of it. */
interface Held {
  readonly session: Session<Notes>
  readonly forks: ForkedSession<Notes>[]
}

const held = new Map<string, Held>()

/** What tests ask of the page, by the names of devices. Each has a database of its own. Everything it gives is JSON. */
const sessions = {
  async open(
    me: string,
    id: string,
    edge: { readonly url: string; readonly token: string },
    retention?: SessionRetention,
  ): Promise<void> {
    const storage = await openIndexedDb(me)
    const { url, token } = edge
    const session = await openSession<Notes>({
      ...{ storage, id, me, clock: browserClock(), random: browserRandom },
      edge: edgeClient({ url, token: () => token }, me),
      initial: { notes: [] },
      ...(retention ? { retention } : {}),
    })
    const forks: ForkedSession<Notes>[] = []
    session.onForked((forked) => forks.push(forked))
    held.set(me, { session, forks })
  },

  async note(me: string, text: string): Promise<void> {
    await mustHold(me).session.update((draft) => void draft.notes.push(text))
  },

  /** Replaces all notes by one of so many characters, so many times. */
  async rewrite(me: string, chars: number, times: number): Promise<void> {
    for (let time = 0; time < times; time += 1)
      await mustHold(me).session.update((draft) => {
        draft.notes.splice(0, Infinity, `${String(time)} `.repeat(chars).slice(0, chars))
      })
  },

  put: (me: string, key: string, value: unknown): Promise<void> => mustHold(me).session.put(key, value),
  get: (me: string, key: string): Promise<unknown> => mustHold(me).session.get(key),
  synced: (me: string): Promise<void> => mustHold(me).session.synced(),

  view(me: string): object {
    const { session, forks } = mustHold(me)
    const { state, role, head } = session
    const parted = forks.map(({ mine, theirs, base }) => ({ mine, theirs, base }))
    return { notes: state.notes, role, head, keys: [...session.records().keys()], parted }
  },
}

Object.assign(globalThis, { sessions })

function mustHold(me: string): Held {
  const one = held.get(me)
  if (one === undefined) throw new Error(`no session of ${me} is open`)
  return one
}
