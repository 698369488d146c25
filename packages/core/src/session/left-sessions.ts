import { RunLog } from '../log/run-log.ts'
import { sessionAgent } from '../log/session-agent.ts'
import { isNotedAtEdge, summariesOf } from '../log/summaries.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { logPorts } from '../sync/log-ports.ts'
import type { SessionSetup } from './options.ts'
import { SessionEdge } from './session-edge.ts'

/** Storages of which a session that is open brings the others. */
const brought = new WeakSet<RunStorage>()

/**
 * Brings to the edge what hosts that are gone have left of other sessions of this device, one after the other: whoever wrote one
 * without a network may never open it again. Does nothing while another session of the storage does it. Returns how to stop.
 */
export function bringOthers(setup: SessionSetup): () => void {
  const { storage } = setup
  if (setup.edge === undefined || brought.has(storage)) return () => undefined
  brought.add(storage)
  const closed = new AbortController()
  // What cannot be listed now is when a session is opened again.
  void bringEach(setup, closed.signal).catch(() => undefined)
  return () => {
    closed.abort()
    brought.delete(storage)
  }
}

async function bringEach(setup: SessionSetup, closed: AbortSignal): Promise<void> {
  const { store } = setup.storage
  for (const summary of await summariesOf(store)) {
    const { agent, owner, run, edge } = summary
    const isOther = agent === sessionAgent && owner === setup.me && run !== setup.run
    // One that was never opened with an edge stays here.
    if (!isOther || !edge) continue
    if (closed.aborted || (await isNotedAtEdge(store, summary))) continue
    // One that cannot be read keeps no other one waiting: whoever opens it is told.
    await bring({ ...setup, run }, closed).catch(() => undefined)
  }
}

/** Resolves when the edge has all of a session, or has refused it, or when this is closed. */
async function bring(setup: SessionSetup, closed: AbortSignal): Promise<void> {
  const { storage, clock, edge, cipher, run, channel } = setup
  if (edge === undefined) return
  const log = await RunLog.open(run, logPorts(storage, clock, edge, cipher && { cipher }))
  const over = Promise.withResolvers<void>()
  const isThere = (): boolean => atEdge.state.synced?.digest === log.fold?.head.digest
  const atEdge = new SessionEdge({
    ...{ log, setup, edge },
    grown: () => channel?.post({ type: 'appended', run }),
    changed: () => {
      if (isThere() || atEdge.state.error) over.resolve()
    },
  })
  closed.addEventListener('abort', () => over.resolve())
  await atEdge.reach()
  await over.promise
  atEdge.close()
  if (isThere()) await log.settle()
}
