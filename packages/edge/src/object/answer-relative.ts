import {
  decodeValue,
  fromWire,
  parseRunId,
  startEntry,
  toWire,
  WaystoneError,
  writtenBy,
  type AnyAgent,
  type Bodies,
  type RunId,
  type Software,
} from '@waystone/core'
import type { RunName, SqlRunName } from '../store/sql-run-name.ts'
import { runDeleted } from './clear-run.ts'
import type { EdgeRun } from './edge-run.ts'
import type { RunAnswer, RunCall } from './run-call.ts'

/** Of a child that was started here, should it move to a device: that counts as gone after so long, and the run goes on here. */
const childLeaseMs = 30_000

/** The object that is asked. */
export interface AskedObject {
  readonly agents: () => readonly AnyAgent[]
  readonly software: Software
  readonly named: SqlRunName
  /** Throws `request_refused` when the object has another run. */
  checkName(name: RunName): void
  open(name: RunName): Promise<EdgeRun>
}

/** Answers another object of the class: the parent of the run, or its children. What fails is told as data. */
export async function answerRelative(call: RunCall, asked: AskedObject): Promise<RunAnswer> {
  try {
    const name = { run: parseRunId(call.run), tenant: call.tenant }
    asked.checkName(name)
    if (asked.named.isDeleted()) return whenDeleted(call)
    if (call.type === 'start') return await startChild(name, call, asked)
    // Nothing is opened, nor written, for a run that is not here.
    if (asked.named.get() === undefined) return { isKnown: false }
    const { family, keeper } = await asked.open(name)
    return (await family?.answer(call, keeper)) ?? { isKnown: false }
  } catch (error) {
    return { error: toWire(error) }
  }
}

/** Starts the run as the child of another. It is written down which run this is before that has an alarm. */
async function startChild(
  name: RunName,
  call: Extract<RunCall, { type: 'start' }>,
  { agents, software, named, open }: AskedObject,
): Promise<RunAnswer> {
  const body = childEntry(call, agents(), software)
  const { keeper } = await open(name)
  if (named.isDeleted()) throw runDeleted(name.run)
  const { fold } = keeper.log
  if (fold && fold.parent !== call.by) throw exists(name.run)
  named.set(name)
  await keeper.start(body)
  return { isKnown: true }
}

/** The first entry of a child. Whatever its agent throws is the child's fault, as a step's would be. */
function childEntry(
  { agent: name, by, depth, input, run }: Extract<RunCall, { type: 'start' }>,
  agents: readonly AnyAgent[],
  software: Software,
): Bodies['start'] {
  const agent = agents.find((one) => one.name === name)
  if (agent === undefined)
    throw new WaystoneError('agent_unknown', `agent "${name}" is not registered at the edge`, { run })
  const written = writtenBy((bytes) => crypto.getRandomValues(new Uint8Array(bytes)), software)
  const policy = { whenGone: 'edge', leaseMs: childLeaseMs, parent: by, depth } as const
  try {
    return startEntry(agent, decodeValue(input), { place: 'edge', written }, policy)
  } catch (error) {
    throw fromWire(toWire(error, 'step_failed'))
  }
}

/** What a relative is told of a run that was deleted. */
function whenDeleted({ type, run }: RunCall): RunAnswer {
  if (type === 'start') throw runDeleted(run)
  const end = { status: 'cancelled', reason: 'it was deleted' } as const
  return { isKnown: true, end, over: `its parent, run ${run}, was deleted` }
}

function exists(run: RunId): WaystoneError {
  return new WaystoneError('run_exists', `there is a run ${run} already, which is no child of this one`, {
    run,
  })
}
