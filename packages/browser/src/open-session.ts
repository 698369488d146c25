import { openSession as openCoreSession, type Session, type SessionOptions } from '@waystone/core/session'
import { browserChannel } from './platform/browser-channel.ts'
import { browserClock } from './platform/browser-clock.ts'
import { browserHost } from './platform/browser-host.ts'
import { browserLocks } from './platform/browser-locks.ts'
import { browserRandom } from './platform/browser-random.ts'
import { edgeClient } from './remote/edge-client.ts'
import type { EdgeOptions } from './remote/edge-http.ts'
import { storageFor, type AnyStorage } from './store/storage-for.ts'
import type { StorageListener } from './store/storage-state.ts'

/** A session as a page or a worker opens it: what a browser provides is provided. */
export type BrowserSessionOptions<State> = Omit<
  SessionOptions<State>,
  'storage' | 'me' | 'clock' | 'random' | 'channel' | 'locks' | 'edge' | 'place'
> & {
  /** Of the database; sessions and runs of one name share it. Default `default`. */
  readonly name?: string
  readonly edge?: EdgeOptions
  /** Hears how this browser keeps the session: at once, and whenever that changes. Show everything but `kept`. */
  readonly onStorage?: StorageListener
}

/** Databases by name, open as long as the page is. */
const storages = new Map<string, Promise<AnyStorage>>()

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
  const opening = storages.get(name) ?? storageFor(name)
  storages.set(name, opening)
  opening.catch(() => storages.delete(name))
  const storage = await opening
  if (onStorage) storage.onState(onStorage)
  const me = await storage.device()
  return openCoreSession<State>({
    ...(rest as unknown as Pick<SessionOptions<State>, 'id' | 'initial'>),
    storage,
    me,
    clock: browserClock(),
    random: browserRandom,
    software: { host: browserHost(navigator), ...rest.software },
    locks: browserLocks(name),
    channel: browserChannel(`${name} sessions`),
    ...(edge ? { edge: edgeClient(edge, me) } : {}),
  })
}
