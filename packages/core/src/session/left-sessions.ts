import type { RunId } from '../ids.ts'
import { RunLog } from '../log/run-log.ts'
import { sessionAgent } from '../log/session-agent.ts'
import { isNotedAtEdge, summariesOf } from '../log/summaries.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { SessionSetup } from './options.ts'
import { SessionEdge } from './session-edge.ts'
import { sessionPorts } from './session-ports.ts'

/** Between two rounds through those that could not be reached, in ms. */
const againMsMin = 1_000
const againMsMax = 60_000

/** Storages of which a session that is open brings the others, and how to have it look again. */
const bringing = new WeakMap<RunStorage, () => void>()

/**
 * Brings to the edge what hosts that are gone have left of other sessions of this device, one after the other: whoever wrote one
 * without a network may never open it again. One session of a storage does it for all. Returns how to stop.
 */
export function bringOthers(setup: SessionSetup): () => void {
  const { storage } = setup
  if (setup.edge === undefined) return () => undefined
  const lookAgain = bringing.get(storage)
  if (lookAgain) {
    lookAgain()
    return () => undefined
  }
  const closed = new AbortController()
  void bringAll(setup, closed.signal)
  return () => closed.abort()
}

async function bringAll(setup: SessionSetup, closed: AbortSignal): Promise<void> {
  const { storage, clock } = setup
  let isAsked = true
  const lookAgain = (): void => void (isAsked = true)
  bringing.set(storage, lookAgain)
  const end = (): void => {
    // Another session may do it by now.
    if (bringing.get(storage) === lookAgain) bringing.delete(storage)
  }
  closed.addEventListener('abort', end)
  let left: readonly RunId[] = []
  for (let ms = againMsMin; !closed.aborted; ms = Math.min(2 * ms, againMsMax)) {
    if (isAsked) {
      isAsked = false
      // What cannot be listed now is when a session is opened again.
      left = await othersLeft(setup).catch(() => [])
    }
    const unreached: RunId[] = []
    for (const run of left) {
      if (closed.aborted) return
      // One that cannot be read keeps no other one waiting: whoever opens it is told.
      if (!(await bring({ ...setup, run }, closed).catch(() => true))) unreached.push(run)
    }
    left = unreached
    if (left.length > 0) await clock.wait(ms, closed)
    else if (!isAsked) break
  }
  if (!closed.aborted) end()
}

/** Sessions of this device that the edge is to have, and is not known to. */
async function othersLeft(setup: SessionSetup): Promise<readonly RunId[]> {
  const { store } = setup.storage
  const left: RunId[] = []
  for (const summary of await summariesOf(store)) {
    const { agent, owner, run, edge } = summary
    const isOther = agent === sessionAgent && owner === setup.me && run !== setup.run
    // One that was never opened with an edge stays here.
    if (isOther && edge && !(await isNotedAtEdge(store, summary))) left.push(run)
  }
  return left
}

/** Resolves with true when the edge has all of a session, or has refused it; with false when it cannot be reached. */
async function bring(setup: SessionSetup, closed: AbortSignal): Promise<boolean> {
  const { edge, run, channel } = setup
  if (edge === undefined) return true
  const log = await RunLog.open(run, sessionPorts(setup, setup.storage))
  const over = Promise.withResolvers<boolean>()
  const isThere = (): boolean => atEdge.state.synced?.digest === log.fold?.head.digest
  const look = (isLast: boolean): void => {
    const { online, error } = atEdge.state
    if (isThere() || error) over.resolve(true)
    else if (closed.aborted || (isLast && !online)) over.resolve(false)
  }
  let isCompared = false
  const atEdge = new SessionEdge({
    ...{ log, setup, edge },
    grown: () => channel?.post({ type: 'appended', run }),
    changed: () => look(isCompared),
  })
  closed.addEventListener('abort', () => look(true))
  await atEdge.reach()
  isCompared = true
  look(true)
  const isOver = await over.promise
  atEdge.close()
  if (isThere()) await log.settle()
  return isOver
}
