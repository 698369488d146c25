import { WaystoneError } from '@waystone/core'
import type { Realm, Scheduler } from './scheduler.ts'

/** What becomes of a question; only the first counts. */
export interface QuestionEnd<T> {
  readonly resolve: (answer: T) => void
  readonly reject: (error: Error) => void
  /** Nothing of it is heard any more. */
  readonly lost: () => void
}

/** A question without an answer counts as unreachable after this, in ms. */
const answerMsMax = 10_000

/** Waits for what a realm asks of an object. Rejects with `unreachable` for a question that is lost, or without answer for 10 s. */
export function question<T>(
  realm: Realm,
  scheduler: Scheduler,
  what: string,
  ask: (end: QuestionEnd<T>) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let ended = false
    const end = (work: () => void): void => {
      if (ended) return
      ended = true
      realm.pending.delete(what)
      late.cancelled = true
      work()
    }
    const lost = (): void => end(() => reject(new WaystoneError('unreachable', `no answer to ${what}`)))
    const late = scheduler.after(answerMsMax, `${what} timed out`, realm, lost)
    realm.pending.add(what)
    ask({
      resolve: (answer) => end(() => resolve(answer)),
      reject: (error) => end(() => reject(error)),
      lost,
    })
  })
}
