import { childEntry, parseRunId, toWire, writtenBy, type AnyAgent, type Software } from '@waystone/core'
import type { RunName, SqlRunName } from '../store/sql-run-name.ts'
import { runDeleted } from './clear-run.ts'
import type { EdgeRun } from './edge-run.ts'
import type { RunAnswer, RunCall } from './run-call.ts'

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
    return (await family?.answer(call.by, call, keeper)) ?? { isKnown: false }
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
  const written = writtenBy((bytes) => crypto.getRandomValues(new Uint8Array(bytes)), software)
  const body = childEntry(agents(), { ...call, parent: call.by }, written)
  const { keeper } = await open(name)
  if (named.isDeleted()) throw runDeleted(name.run)
  named.set(name)
  await keeper.start(body)
  return { isKnown: true }
}

/** What a relative is told of a run that was deleted. */
function whenDeleted({ type, run }: RunCall): RunAnswer {
  if (type === 'start') throw runDeleted(run)
  const end = { status: 'cancelled', reason: 'it was deleted' } as const
  return { isKnown: true, end, over: `its parent, run ${run}, was deleted` }
}
