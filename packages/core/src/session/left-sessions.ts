import type { RunId } from '../ids.ts'
import { RunLog } from '../log/run-log.ts'
import { sessionAgent } from '../log/session-agent.ts'
import { isNotedAtEdge, summariesOf } from '../log/summaries.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import type { Edge } from '../sync/syncer.ts'
import type { SessionSetup } from './options.ts'
import { SessionEdge } from './session-edge.ts'
import { sessionPorts } from './session-ports.ts'

/** Between two rounds through those that could not be reached, in ms. */
const againMsMin = 1_000
const againMsMax = 60_000

/** The sessions of a storage that are open here, with an edge. */
interface Opened {
  /** Each fires when that session is closed. */
  readonly setups: Map<SessionSetup, AbortSignal>
  /** Of the one that brings the others: has it look again. */
  lookAgain: (() => void) | undefined
}

const opened = new WeakMap<RunStorage, Opened>()

/**
 * Brings to the edge what hosts that are gone have left of other sessions of this device, one after the other: whoever wrote one
 * without a network may never open it again. One session of a storage does it for all. Returns how to stop.
 */
export function bringOthers(setup: SessionSetup): () => void {
  if (setup.edge === undefined) return () => undefined
  const here = opened.get(setup.storage) ?? { setups: new Map(), lookAgain: undefined }
  opened.set(setup.storage, here)
  const closed = new AbortController()
  here.setups.set(setup, closed.signal)
  bringLeft(here)
  return () => {
    here.setups.delete(setup)
    closed.abort()
    // Another one goes on, also with what this one leaves.
    bringLeft(here)
  }
}

/** Has the session that brings the others look again, or any of those that are open do it. */
function bringLeft(here: Opened): void {
  if (here.lookAgain) return here.lookAgain()
  const [next] = here.setups
  if (next?.[0].edge) void bringAll(next[0], next[0].edge, here, next[1])
}

async function bringAll(setup: SessionSetup, edge: Edge, here: Opened, closed: AbortSignal): Promise<void> {
  let isAsked = true
  const lookAgain = (): void => void (isAsked = true)
  here.lookAgain = lookAgain
  const end = (): void => {
    // Another session may do it by now.
    if (here.lookAgain === lookAgain) here.lookAgain = undefined
  }
  closed.addEventListener('abort', end)
  let left: readonly RunId[] = []
  for (let ms = againMsMin; !closed.aborted; ms = Math.min(2 * ms, againMsMax)) {
    if (isAsked) {
      isAsked = false
      // What cannot be listed now is when a session is opened again.
      left = await othersLeft(setup, here).catch(() => [])
    }
    const unreached: RunId[] = []
    for (const run of left) {
      if (closed.aborted) return
      // One that cannot be read keeps no other one waiting: whoever opens it is told.
      if (!(await bring({ ...setup, run }, edge, closed).catch(() => true))) unreached.push(run)
    }
    left = unreached
    if (left.length > 0) await setup.clock.wait(ms, closed)
    else if (!isAsked) break
  }
  if (!closed.aborted) end()
}

/** Sessions of this device that the edge is to have, is not known to have, and nobody here brings by having them open. */
async function othersLeft(
  { storage: { store }, me }: SessionSetup,
  { setups }: Opened,
): Promise<readonly RunId[]> {
  const isOpen = new Set([...setups.keys()].map(({ run }) => run))
  const left: RunId[] = []
  for (const summary of await summariesOf(store)) {
    const { agent, owner, run, edge } = summary
    const isOther = agent === sessionAgent && owner === me && !isOpen.has(run)
    // One that was never opened with an edge stays here.
    if (isOther && edge && !(await isNotedAtEdge(store, summary))) left.push(run)
  }
  return left
}

/** Resolves with true when the edge has all of a session, or has refused it; with false when it cannot be reached. */
async function bring(setup: SessionSetup, edge: Edge, closed: AbortSignal): Promise<boolean> {
  const { run, channel } = setup
  const log = await RunLog.open(run, sessionPorts(setup, setup.storage))
  const over = Promise.withResolvers<boolean>()
  const look = (isLast: boolean): void => {
    const { online, error } = atEdge.state
    if (atEdge.hasAll || error) over.resolve(true)
    else if (closed.aborted || (isLast && !online)) over.resolve(false)
  }
  let isCompared = false
  const atEdge = new SessionEdge({
    ...{ log, setup, edge },
    grown: () => channel?.post({ type: 'appended', run }),
    changed: () => look(isCompared),
  })
  const onClosed = (): void => look(true)
  closed.addEventListener('abort', onClosed)
  await atEdge.reach()
  isCompared = true
  look(true)
  const isOver = await over.promise
  closed.removeEventListener('abort', onClosed)
  atEdge.close()
  if (atEdge.hasAll) await log.settle()
  return isOver
}
