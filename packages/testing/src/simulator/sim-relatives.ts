import {
  fromWire,
  toWire,
  WaystoneError,
  type AskRelative,
  type FamilyAnswer,
  type FamilyQuestion,
  type Relative,
  type Relatives,
  type RunId,
} from '@waystone/core'
import type { Realm } from './scheduler.ts'
import type { SimWorld } from './sim-world.ts'

/** An object that another one asks. */
export interface Askable {
  answer(by: RunId, question: FamilyQuestion): Promise<FamilyAnswer>
}

/** A question without an answer counts as unreachable after this, in ms. */
const answerMsMax = 10_000

/** The relatives that are stored with an object, as one life of it sees them. */
export function simRelatives(rows: Map<RunId, Relative>, realm: Realm): Relatives {
  const put = (relative: Relative): void => void (realm.alive && rows.set(relative.run, relative))
  return {
    all: () => [...rows.values()],
    get: (run) => rows.get(run),
    add(run, role) {
      if (!rows.has(run)) put({ run, role, told: '' })
    },
    tell(run, told) {
      const relative = rows.get(run)
      if (relative) put({ ...relative, told })
    },
    remove: (run) => void (realm.alive && rows.delete(run)),
  }
}

/** How a life of the object of run `by` asks others, each of which may die over it. */
export function askRelatives(
  realm: Realm,
  by: RunId,
  { world, object }: { readonly world: SimWorld; readonly object: (run: RunId) => Askable },
): AskRelative {
  const { scheduler, dice, coverage } = world
  return (run, question) =>
    new Promise((resolve, reject) => {
      const what = `ask ${question.type}`
      realm.pending.add(what)
      const settle = (work: () => void): void => {
        realm.pending.delete(what)
        late.cancelled = true
        work()
      }
      const lost = (): void => settle(() => reject(new WaystoneError('unreachable', `no answer to ${what}`)))
      const late = scheduler.after(answerMsMax, `${what} timed out`, realm, lost)
      const answer = (work: () => void): void =>
        void scheduler.after(dice.between(1, 20), `${what} answered`, realm, () => settle(work))
      coverage.hit('relative', question.type)
      scheduler.after(dice.between(1, 20), what, undefined, () => {
        object(run)
          .answer(by, question)
          .then(
            (said) => answer(() => resolve(said)),
            (error: unknown) => answer(() => reject(fromWire(toWire(error)))),
          )
      })
    })
}
