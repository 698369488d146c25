import { isWaystoneError, WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import type { EntryDraft } from '../log/bodies.ts'
import { sessionAgent } from '../log/session-agent.ts'
import { sessionSetup, type SessionOptions, type SessionSetup } from './options.ts'
import { Session } from './session.ts'
import { startDraft } from './session-entries.ts'
import { SessionHost } from './session-host.ts'

/**
 * Opens a session, new if there is none: a log with a state and keyed records, checkpointed at every write. What the edge
 * has is taken first, when it can be reached. Rejects with `input_refused`, `value_refused` for an initial state that
 * cannot be kept, `run_exists` when the id is that of an agent's run, `version_skew`, `log_damaged` when not even the
 * beginning can be read, and errors of the store.
 *
 * @example
 * const session = await openSession({ storage, id: 'notes', initial: { notes: [] as string[] }, me: 'laptop', clock, random })
 * await session.update((draft) => void draft.notes.push('first'))
 * await session.put('page/1', 'a large text that is loaded when it is asked for')
 */
export async function openSession<State>(options: SessionOptions<State>): Promise<Session<State>> {
  const setup = sessionSetup(options)
  return opened<State>(setup, () => [startDraft(setup)])
}

async function opened<State>(
  setup: SessionSetup,
  first: () => readonly EntryDraft[],
): Promise<Session<State>> {
  const host = await SessionHost.open(setup)
  try {
    if (host.log.fold === undefined) await begin(host, first())
    const { identity } = host.log.mustFold()
    if (identity.agent !== sessionAgent) throw exists(setup.run, `is a run of agent "${identity.agent}"`)
    const session = new Session<State>(host, (id, drafts) =>
      forkOpened<State>({ ...setup, run: id as RunId }, drafts),
    )
    host.begin()
    return session
  } catch (error) {
    await host.close()
    throw error
  }
}

/** A fork, which may have been made before. */
async function forkOpened<State>(
  setup: SessionSetup,
  drafts: readonly EntryDraft[],
): Promise<Session<State>> {
  const session = await opened<State>(setup, () => drafts)
  const [first] = drafts
  const from = first?.kind === 'fork' ? first.body.from : undefined
  if (session.from?.run === from?.run && session.from?.digest === from?.digest) return session
  await session.close()
  throw exists(setup.run, 'is another session')
}

/** Writes the first entries. When there are some, the session is as they say: another host was first. */
async function begin(host: SessionHost, drafts: readonly EntryDraft[]): Promise<void> {
  const { log, setup } = host
  try {
    await log.append(setup.me, (fold) => (fold === undefined ? drafts : []))
  } catch (error) {
    if (!isWaystoneError(error, 'head_moved')) throw error
    await log.catchUp()
  }
}

function exists(run: string, what: string): WaystoneError {
  return new WaystoneError('run_exists', `${run} ${what}: choose another id`, { run })
}
