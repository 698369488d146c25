import { fromWire, WaystoneError, type ChildEnd, type Json, type RunId, type WireError } from '@waystone/core'
import type { Report } from '../report.ts'
import { objectName } from '../store/tenant-names.ts'

/** What the object of a run asks that of another run of its tenant: a parent its child, or a child its parent. */
export type RunCall = { readonly tenant: string; readonly run: RunId; readonly by: RunId } & (
  | { readonly type: 'start'; readonly depth: number; readonly agent: string; readonly input: Json }
  | { readonly type: 'end' }
  | { readonly type: 'cancel'; readonly reason: string }
  /** A child that a device has started is here for the first time. */
  | { readonly type: 'came' }
  | { readonly type: 'ended' }
)

/** The answer to a call. Classes and codes of errors do not survive the way between objects: these are told as data. */
export type RunAnswer =
  | { readonly error: WireError }
  | { readonly isKnown: boolean; readonly end?: ChildEnd | 'elsewhere'; readonly over?: string }

/**
 * What objects of runs offer each other. It is no route: nobody outside of the worker reaches it, whatever token they have.
 */
export interface RunCalls {
  runCall(call: RunCall): Promise<RunAnswer>
}

/** A call without who asks whom. */
export type Question = RunCall extends infer Call
  ? Call extends RunCall
    ? Omit<Call, 'tenant' | 'run' | 'by'>
    : never
  : never

/** Asks the object of another run. Rejects with what it answers, and with `unreachable` when it does not. */
export type AskRelative = (run: RunId, question: Question) => Promise<Exclude<RunAnswer, { error: unknown }>>

/** Asks objects of the same class for a run of a tenant. */
export function askRelatives(
  namespace: DurableObjectNamespace,
  { tenant, run: by }: { readonly tenant: string; readonly run: RunId },
  report: Report,
): AskRelative {
  return async (run, question) => {
    const stub = namespace.get(namespace.idFromName(objectName(tenant, run)))
    // The types of calls between objects know what is a promise there, and nothing of brands.
    const answer = await (stub as unknown as RunCalls)
      .runCall({ ...question, tenant, run, by } as RunCall)
      .catch((cause: unknown) => {
        report({ where: 'family', run: by, error: cause })
        throw new WaystoneError('unreachable', `the object of run ${run} did not answer run ${by}`, {
          run,
          cause,
        })
      })
    if ('error' in answer) throw fromWire(answer.error)
    return answer
  }
}
