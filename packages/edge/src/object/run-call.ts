import {
  fromWire,
  WaystoneError,
  type AskRelative,
  type FamilyAnswer,
  type FamilyQuestion,
  type RunId,
  type WireError,
} from '@waystone/core'
import type { Report } from '../report.ts'
import { objectName } from '../store/tenant-names.ts'

/** What the object of a run asks that of another run of its tenant: a parent its child, or a child its parent. */
export type RunCall = FamilyQuestion & {
  readonly tenant: string
  readonly run: RunId
  readonly by: RunId
}

/** The answer to a call. Classes and codes of errors do not survive the way between objects: these are told as data. */
export type RunAnswer = { readonly error: WireError } | FamilyAnswer

/**
 * What objects of runs offer each other. It is no route: nobody outside of the worker reaches it, whatever token they have.
 */
export interface RunCalls {
  runCall(call: RunCall): Promise<RunAnswer>
}

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
      .runCall({ ...question, tenant, run, by })
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
