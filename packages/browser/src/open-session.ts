import type { Locks } from '@waystone/core'
import { openSession as openCoreSession, type Session, type SessionOptions } from '@waystone/core/session'
import { browserChannel } from './platform/browser-channel.ts'
import { browserClock } from './platform/browser-clock.ts'
import { browserHost } from './platform/browser-host.ts'
import { browserLocks } from './platform/browser-locks.ts'
import { browserRandom } from './platform/browser-random.ts'
import { pageChannel } from './platform/page-channel.ts'
import { watchLifecycle } from './platform/page-lifecycle.ts'
import { pageLocks } from './platform/page-locks.ts'
import { edgeClient } from './remote/edge-client.ts'
import type { EdgeOptions } from './remote/edge-http.ts'
import { storageFor, type AnyStorage } from './store/storage-for.ts'
import type { StorageListener } from './store/storage-state.ts'

/** A session as a page or a worker opens it: what a browser provides is provided. */
export type BrowserSessionOptions<State> = Omit<
  SessionOptions<State>,
  'storage' | 'me' | 'clock' | 'random' | 'channel' | 'locks' | 'edge' | 'place'
> & {
  /**
   * Of the database; sessions and runs of one name share it, and belong to one person: those that were written without a network
   * are brought to the edge of the next session that is opened. Default `default`.
   */
  readonly name?: string
  readonly edge?: EdgeOptions
  /** Hears how this browser keeps the session: at once, and whenever that changes. Show everything but `kept`. */
  readonly onStorage?: StorageListener
}

/** What the sessions of one name share, as long as the page is there. */
interface SessionPage {
  readonly storage: AnyStorage
  readonly locks: Locks
  /** Those who have to look for themselves what others have done. */
  readonly missed: Set<() => void>
}

/** By name. */
const pages = new Map<string, Promise<SessionPage>>()

/**
 * Opens a session in this browser's storage, new if there is none: checkpoints for people with their own loop. Tabs of
 * one browser are one device. Rejects as `openSession` of core does.
 *
 * @example
 * const session = await openSession({ id: 'notes', initial: { notes: [] as string[] } })
 * await session.update((draft) => void draft.notes.push('first'))
 */
export async function openSession<State>(options: BrowserSessionOptions<State>): Promise<Session<State>> {
  const { name = 'default', edge, onStorage, ...rest } = options
  const opening = pages.get(name) ?? openPage(name)
  pages.set(name, opening)
  opening.catch(() => pages.delete(name))
  const { storage, locks, missed } = await opening
  // A listener of its own, should sessions share one that outlives this.
  const unlisten = onStorage ? storage.onState((state) => onStorage(state)) : () => undefined
  try {
    const me = await storage.device()
    return await openCoreSession<State>({
      ...(rest as unknown as Pick<SessionOptions<State>, 'id' | 'initial'>),
      storage,
      me,
      clock: browserClock(),
      random: browserRandom,
      software: { host: browserHost(navigator), ...rest.software },
      locks,
      channel: pageChannel(() => browserChannel(`${name} sessions`), { missed, unused: unlisten }),
      ...(edge ? { edge: edgeClient(edge, me) } : {}),
    })
  } catch (error) {
    unlisten()
    throw error
  }
}

async function openPage(name: string): Promise<SessionPage> {
  const storage = await storageFor(name)
  const locks = pageLocks(browserLocks(name))
  const missed = new Set<() => void>()
  watchLifecycle({
    hide: () => undefined,
    freeze: () => locks.leave(),
    thaw: () => {
      locks.comeBack()
      for (const look of missed) look()
    },
  })
  return { storage, locks, missed }
}
